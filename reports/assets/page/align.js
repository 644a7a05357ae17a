"use strict";
// Which operator of one cell is which of the other. Compression adds operators (QUANTIZE), drops some, renames a few.

const SAME_NAME = 6, SAME_TYPE = 2, SAME_SHAPE = 1;

function likeness(a, b) {
  const named = a.name === b.name;
  if (!named && a.type !== b.type) return 0;
  return (named ? SAME_NAME : 0) + (a.type === b.type ? SAME_TYPE : 0) + (a.shape === b.shape ? SAME_SHAPE : 0);
}

/**
 * Pair operators in order, so that the sum of likenesses is largest (Needleman-Wunsch, gaps are free).
 * Operators that share neither name nor type are never paired. Kernels without an operator (index -1) stand apart.
 * Returns [a or null, b or null] in order. O(n m) time and space: 2,000 x 2,000 operators take 16 MB.
 */
function alignOperators(left, right) {
  const real = (op) => op.index >= 0;
  const a = left.filter(real), b = right.filter(real);
  const width = b.length + 1;
  const best = new Int32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const like = likeness(a[i], b[j]);
      const paired = like > 0 ? like + best[(i + 1) * width + j + 1] : -1;
      best[i * width + j] = Math.max(paired, best[(i + 1) * width + j], best[i * width + j + 1]);
    }
  }
  const pairs = [];
  let i = 0, j = 0;
  while (i < a.length && j < b.length) {
    const here = best[i * width + j], like = likeness(a[i], b[j]);
    if (like > 0 && here === like + best[(i + 1) * width + j + 1]) pairs.push([a[i++], b[j++]]);
    else if (here === best[(i + 1) * width + j]) pairs.push([a[i++], null]);
    else pairs.push([null, b[j++]]);
  }
  while (i < a.length) pairs.push([a[i++], null]);
  while (j < b.length) pairs.push([null, b[j++]]);
  for (const op of left) if (!real(op)) pairs.push([op, null]);
  for (const op of right) if (!real(op)) pairs.push([null, op]);
  return pairs;
}
