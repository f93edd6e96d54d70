// What every live view needs to put something on the screen: digits on a canvas, the theme's colours, state in the
// link, words for a screen reader, and one draw a frame. A view's `root` may be an element or its shadow root.

import { SIDE } from "../maths/digit.mjs";

// Digits ---------------------------------------------------------------------------------------------------------------

const buffers = new WeakMap(); // canvas → its context, its ImageData and that data as one integer a pixel

/**
 * A canvas of 28 × 28 pixels that stay pixels; `label` is what it shows, in words; `size` in CSS pixels, else 100 %.
 * @param {{label: string, size?: number | null}} look
 */
export function digitCanvas({ label, size = null }) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  const side = size === null ? "100%" : `${size}px`;
  canvas.style.cssText = `width:${side};height:auto;aspect-ratio:1;display:block;image-rendering:pixelated;` +
    "background:#000;border-radius:6px;box-sizing:border-box";
  paint(canvas, null);
  return canvas;
}

/** 784 numbers in [0, 1] onto a digitCanvas, white on black; null paints it black. Allocates nothing after the first.
 * @param {HTMLCanvasElement} canvas @param {ArrayLike<number> | null} pixels */
export function paint(canvas, pixels) {
  let buffer = buffers.get(canvas);
  if (!buffer) {
    const context = canvas.getContext("2d");
    const image = context.createImageData(SIDE, SIDE);
    buffer = { context, image, words: new Uint32Array(image.data.buffer) };
    buffers.set(canvas, buffer);
  }
  const { words } = buffer;
  for (let i = 0; i < words.length; i++) {
    const v = pixels ? Math.max(0, Math.min(255, (255 * pixels[i] + 0.5) | 0)) : 0;
    words[i] = 0xff000000 | (v << 16) | (v << 8) | v; // alpha and three equal bytes: the byte order does not matter
  }
  buffer.context.putImageData(buffer.image, 0, 0);
}

// Theme ----------------------------------------------------------------------------------------------------------------

/** The page's colours as CSS strings and its font. @param {import("../host.mjs").Root} root */
export function palette(root) {
  const style = getComputedStyle(root.host ?? root);
  const of = (name, otherwise) => style.getPropertyValue(`--st-${name}`).trim() || otherwise;
  const background = of("background-color", "#ffffff");
  return {
    text: of("text-color", "#1a1d21"),
    accent: of("primary-color", "#d6336c"),
    border: of("border-color", "#dfe3e8"),
    surface: of("secondary-background-color", "#f4f6f8"),
    background,
    font: of("font", "sans-serif"),
    dark: luminance(background) < 0.5,
  };
}

let probe = null;

/** How light a CSS colour is, 0 … 1. */
function luminance(colour) {
  probe ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}

/** True where the visitor's system asks for less motion: nothing then moves by itself. */
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Words and frames -----------------------------------------------------------------------------------------------------

/**
 * say(text): what a screen reader speaks, once the hand has rested for half a second.
 * @param {Node & ParentNode} root @returns {(text: string) => void}
 */
export function announcer(root) {
  const region = document.createElement("div");
  region.setAttribute("aria-live", "polite");
  region.style.cssText = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap";
  root.append(region);
  let timer = null;
  return (text) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (region.textContent !== text) region.textContent = text;
    }, 500);
  };
}

/**
 * request(): draw(time) runs in the next frame, once, however often it was asked for; request.stop() ends that.
 * @param {(time: number) => void} draw
 */
export function frameLoop(draw) {
  let id = 0;
  const request = () => {
    id ||= requestAnimationFrame((time) => {
      id = 0;
      draw(time);
    });
  };
  request.stop = () => {
    cancelAnimationFrame(id);
    id = 0;
  };
  return request;
}
