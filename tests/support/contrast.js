// Texts on screen whose contrast to their ground is under 4.5 to 1 (WCAG 2.2, 1.4.3). Patterned grounds are left out.
(() => {
  const channels = (css) => {
    const found = css.match(/[\d.]+/g).map(Number);
    return found.length < 4 ? [...found, 1] : found;
  };
  const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const luminance = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, share, i) => sum + share * linear(c[i] / 255), 0);
  const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3]));
  const groundOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.backgroundImage !== "none") return null;
      const colour = channels(style.backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faint = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement, text = walk.currentNode.data.trim();
    if (!text || !element.checkVisibility() || element.closest("svg, script, style, option")) continue;
    const ground = groundOf(element);
    if (!ground) continue;
    const style = getComputedStyle(element), ink = channels(style.color);
    ink[3] *= Number(style.opacity);
    const [high, low] = [luminance(over(ink, ground)), luminance(ground)].sort((x, y) => y - x);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) faint.add(`${element.className || element.tagName} "${text.slice(0, 30)}" ${ratio.toFixed(2)}`);
  }
  return [...faint];
})()
