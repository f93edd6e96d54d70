// A webcam over the pad: it opens on request and closes with the picture, which is the only thing that leaves it.

const REFUSALS = {
  NotAllowedError: "The camera was not allowed: allow it in the browser, or bring a picture.",
  NotFoundError: "No camera was found: bring a picture.",
};

/** There may be a camera to ask for: over plain http from another machine there is none. */
export const offered = () => Boolean(navigator.mediaDevices?.getUserMedia);

/**
 * Show in `host` what the camera sees, until the visitor takes a picture or `signal` ends it.
 * @param {Element} host @param {AbortSignal} signal
 * @returns {Promise<{file?: File, error?: string}>} error is one sentence; neither where they left
 */
export async function photograph(host, signal) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } } });
  } catch ({ name }) {
    return { error: REFUSALS[name] ?? "The camera cannot be opened: perhaps another program has it." };
  }
  const box = document.createElement("div");
  box.className = "camera";
  box.setAttribute("role", "dialog");
  box.setAttribute("aria-label", "Camera");
  box.innerHTML = `<video autoplay muted playsinline aria-label="What the camera sees"></video>
    <p>One digit, written large and dark on light paper</p>
    <div class="row"><button class="take">Take the picture</button><button class="leave">Cancel</button></div>`;
  const video = box.querySelector("video");
  const [take, leave] = box.querySelectorAll("button");
  take.disabled = true; // until there is a frame to take
  video.onloadeddata = () => {
    take.disabled = false;
    take.focus();
  };
  video.srcObject = stream;
  try {
    const taken = new Promise((done) => {
      signal.addEventListener("abort", () => done(false));
      leave.onclick = () => done(false);
      take.onclick = () => done(true);
      box.onkeydown = (e) => {
        if (e.key === "Escape") done(false);
      };
      if (signal.aborted) done(false);
    });
    host.append(box);
    leave.focus();
    if (!(await taken)) return {};
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    canvas.getContext("2d").drawImage(video, 0, 0);
    return { file: new File([await canvas.convertToBlob({ type: "image/png" })], "camera.png") };
  } catch {
    return { error: "The camera's picture cannot be read: try again, or bring a picture." };
  } finally {
    for (const track of stream.getTracks()) track.stop();
    box.remove();
  }
}
