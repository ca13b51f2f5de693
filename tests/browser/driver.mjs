// Drives a real browser: one JSON command per line on stdin, one JSON answer per line on stdout.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
});
let page;
let complaints = [];

// Contrast (WCAG 2) of every visible text with its background, lowest first.
function poorestTexts() {
  const parse = (css) => css.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.9) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    const skipped = !text || ["STYLE", "SCRIPT"].includes(element.tagName) || element.closest(".mantine-Notification-root");
    if (skipped || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    found.push({ text, contrast: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) });
  }
  return found.sort((p, q) => p.contrast - q.contrast);
}

// The pixels of the image in the panel: width, height and RGBA bytes in base64; null while the next image is being decoded.
function shownPreview() {
  const image = [...document.querySelectorAll("img")].find((each) => each.naturalWidth === 640);
  if (!image) return null;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let binary = "";
  for (let at = 0; at < data.length; at += 32768) binary += String.fromCharCode(...data.subarray(at, at + 32768));
  return { width: canvas.width, height: canvas.height, rgba: btoa(binary) };
}

const commands = {
  async open({ url, width, height }) {
    await page?.context().close();
    complaints = [];
    page = await (await browser.newContext({ viewport: { width, height }, ignoreHTTPSErrors: true })).newPage();
    page.setDefaultTimeout(90_000); // a click waits for two frames, which a busy CPU draws slowly
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    return (await page.goto(url)).status();
  },
  evaluate: ({ script }) => page.evaluate(script),
  wait: ({ script, timeout }) => page.waitForFunction(script, null, { timeout, polling: 100 }).then(() => true),
  click: ({ text }) => page.getByText(text, { exact: true }).first().click(),
  async choose({ from, to }) {
    await page.locator(`input[value="${from}"]`).first().click();
    await page.getByRole("option", { name: to }).click();
  },
  fill: ({ label, text }) => page.locator(`xpath=//*[text()="${label}"]/following::input[not(@type="hidden")][1]`).fill(text),
  dismiss: () => page.locator(".mantine-Notification-closeButton").first().click(),
  screenshot: ({ path, clip }) => page.screenshot({ path, clip }).then(() => path),
  complaints: () => complaints,
  poorest: () => page.evaluate(poorestTexts),
  preview: () => page.waitForFunction(shownPreview, null, { polling: 20 }).then((shown) => shown.jsonValue()),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ value: (await commands[command](rest)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
await browser.close();
