//! What is put into each page before its own script: it notes what goes wrong, and what frames cost.

pub(crate) const WATCH: &str = r#"
window.watched = { wrong: [], frames: [], ran: 0 };
addEventListener("error", (event) => watched.wrong.push(`error: ${event.message} ${event.filename}:${event.lineno}`), true);
addEventListener("unhandledrejection", (event) => watched.wrong.push(`rejection: ${event.reason}`));
document.addEventListener("securitypolicyviolation", (event) => watched.wrong.push(`policy: ${event.violatedDirective} ${event.sample}`));
const next = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (draw) => next((now) => {
  const start = performance.now();
  draw(now);
  watched.frames.push(performance.now() - start);
});
"#;

/// Gives the texts whose contrast with what is behind them is below what WCAG asks for at level AA.
pub(crate) const POOR_CONTRAST: &str = r#"
const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const channels = (colour, behind) => {
  probe.fillStyle = `rgb(${behind.join(" ")})`;
  probe.fillRect(0, 0, 1, 1);
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  return [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)];
};
const luminance = (colour) => {
  const [r, g, b] = colour.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  const chain = [];
  for (let at = element; at; at = at.parentElement) chain.unshift(getComputedStyle(at).backgroundColor);
  return chain.reduce((under, colour) => channels(colour, under), [255, 255, 255]);
};
const poor = [];
let seen = 0;
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || !element.checkVisibility({ visibilityProperty: true }) || element.closest("script, style, noscript, .sr, .skip")) continue;
  const style = getComputedStyle(element);
  const under = behind(element);
  const colour = style.fill && element instanceof SVGElement ? style.fill : style.color;
  const [a, b] = [luminance(under), luminance(channels(colour, under))].sort((x, y) => y - x);
  const size = parseFloat(style.fontSize);
  const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
  seen += 1;
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < least) poor.push(`${ratio.toFixed(2)}: ${element.tagName} ${texts.currentNode.data.trim().slice(0, 40)}`);
}
return { seen, poor };
"#;
