// What eslint holds: its recommended rules and a few of ours, over static/ and tests/node/. `.ci/types` runs it.

import js from "@eslint/js";

/** Every field of a class is named in its body or its constructor: whoever assigns one elsewhere has mistyped it. */
const declaredFields = {
  meta: { type: "problem", messages: { undeclared: "{{name}} is declared neither in the class nor in its constructor." } },
  create(context) {
    const classes = new Map(); // name → its class, for those that extend another of the same file
    const open = []; // the classes around, innermost last: {node, declared: names, assigned: [{name, node}]}
    const done = [];
    const enter = (node) => {
      const members = node.body.body;
      const declared = new Set(members.filter(({ static: s }) => !s).map(({ key }) => key?.name));
      const own = { node, declared, assigned: [] };
      if (node.id) classes.set(node.id.name, own);
      open.push(own);
    };
    const leave = () => done.push(open.pop());
    const assigned = (target) => {
      if (target.type !== "MemberExpression" || target.object.type !== "ThisExpression" || target.computed) return;
      const here = open.at(-1);
      if (!here || target.property.type === "PrivateIdentifier") return;
      const functions = context.sourceCode.getAncestors(target).filter(({ type }) => type === "MethodDefinition");
      if (functions.at(-1)?.kind === "constructor") here.declared.add(target.property.name);
      else here.assigned.push(target);
    };
    const pattern = (target) => {
      if (target.type === "ArrayPattern") target.elements.forEach((element) => element && pattern(element));
      else if (target.type === "ObjectPattern") target.properties.forEach((property) => pattern(property.value ?? property.argument));
      else if (target.type === "AssignmentPattern") pattern(target.left);
      else assigned(target);
    };
    return {
      ClassDeclaration: enter,
      ClassExpression: enter,
      "ClassDeclaration:exit": leave,
      "ClassExpression:exit": leave,
      AssignmentExpression: ({ left }) => pattern(left),
      UpdateExpression: ({ argument }) => pattern(argument),
      "Program:exit"() {
        for (const { node, assigned: targets, declared } of done) {
          const names = new Set(declared);
          for (let base = classes.get(node.superClass?.name); base; base = classes.get(base.node.superClass?.name)) {
            base.declared.forEach((name) => names.add(name));
          }
          for (const target of targets) {
            const { name } = target.property;
            if (!names.has(name)) context.report({ node: target, messageId: "undeclared", data: { name } });
          }
        }
      },
    };
  },
};

export default [
  js.configs.recommended,
  {
    plugins: { house: { rules: { "declared-fields": declaredFields } } },
    rules: {
      "no-undef": "off", // tsc finds these, and knows which names a browser has
      "no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_$" }],
      "prefer-const": ["error", { destructuring: "all" }],
      eqeqeq: "error",
      "house/declared-fields": "error",
    },
  },
];
