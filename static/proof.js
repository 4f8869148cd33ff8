/* Solves a form's proof-of-work challenge. On a form's own page it begins with the first focus in the form; embed.js
   imports it for the embedded form.

   SHA-256 is implemented here: a call of the browser's costs more than the hash, which an attacker does not pay.
   https://nvlpubs.nist.gov/nistpubs/FIPS/NIST.FIPS.180-4.pdf */

const SLICE_MS = 12; // longest computation without a pause, so that the page stays responsive
const PER_LOOK = 500; // numbers tried between two readings of the clock
const GOOD_MS = 9 * 60 * 1000; // a challenge lives for ten minutes

/* The first 32 bits of the fractions of the roots of the first primes: cube roots of 64 (4.2.2), square roots of
   eight (5.3.3). */
const fractions = (count, root) => {
  const found = [];
  for (let candidate = 2; found.length < count; candidate++) {
    let divisor = 2;
    while (candidate % divisor) divisor++;
    if (divisor === candidate) found.push(((root(candidate) % 1) * 2 ** 32) | 0);
  }
  return Int32Array.from(found);
};
const ROUNDS = fractions(64, Math.cbrt);
const BEGIN = fractions(8, Math.sqrt);
const words = new Int32Array(64);

// Hash one block of the message into the state (6.2.2). Iterators would take most of the time here.
const compress = (state, block, at) => {
  for (let i = 0; i < 16; i++) {
    const from = at + 4 * i;
    words[i] = (block[from] << 24) | (block[from + 1] << 16) | (block[from + 2] << 8) | block[from + 3];
  }
  for (let i = 16; i < 64; i++) {
    const x = words[i - 15];
    const y = words[i - 2];
    words[i] =
      words[i - 16] + words[i - 7] +
      (((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)) +
      (((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10));
  }
  let a = state[0], b = state[1], c = state[2], d = state[3];
  let e = state[4], f = state[5], g = state[6], h = state[7];
  for (let i = 0; i < 64; i++) {
    const first =
      (h + ROUNDS[i] + words[i] + ((e & f) ^ (~e & g)) +
        (((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7)))) | 0;
    const second =
      (((a & b) ^ (a & c) ^ (b & c)) +
        (((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10)))) | 0;
    h = g; g = f; f = e; e = (d + first) | 0;
    d = c; c = b; b = a; a = (first + second) | 0;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d;
  state[4] += e; state[5] += f; state[6] += g; state[7] += h;
};

/* Return a function that hashes `salt` followed by a number; the salt's whole blocks are hashed once. */
const hasher = (salt) => {
  const bytes = new TextEncoder().encode(salt);
  const whole = bytes.length - (bytes.length % 64);
  const begun = Int32Array.from(BEGIN);
  for (let at = 0; at < whole; at += 64) compress(begun, bytes, at);
  const rest = bytes.subarray(whole);
  const block = new Uint8Array(128);
  const state = new Int32Array(8);
  return (number) => {
    const digits = String(number);
    block.fill(0);
    block.set(rest);
    let end = rest.length;
    for (let i = 0; i < digits.length; i++) block[end++] = digits.charCodeAt(i);
    block[end] = 0x80;
    const padded = end < 56 ? 64 : 128;
    const bits = (bytes.length + digits.length) * 8;
    block[padded - 2] = bits >>> 8;
    block[padded - 1] = bits;
    state.set(begun);
    for (let at = 0; at < padded; at += 64) compress(state, block, at);
    return state;
  };
};

// Let the page handle events. Not by a timer, which browsers delay by several milliseconds.
const letOthersGo = () => new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => { port1.close(); resolve(); };
  port2.postMessage(0);
});

export const find = async ({ algorithm, challenge, maxnumber, salt }) => {
  if (algorithm !== "SHA-256") throw new Error(`The challenge asks for ${algorithm}.`);
  const wanted = Int32Array.from(challenge.match(/.{8}/g), (part) => parseInt(part, 16) | 0);
  const hash = hasher(salt);
  let until = performance.now() + SLICE_MS;
  for (let number = 0; number <= maxnumber; number++) {
    const found = hash(number);
    if (found[0] === wanted[0] && found.every((word, place) => word === wanted[place])) return number;
    if (number % PER_LOOK === 0 && performance.now() > until) {
      await letOthersGo();
      until = performance.now() + SLICE_MS;
    }
  }
  throw new Error("The challenge has no answer.");
};

export const solve = async (address) => {
  const asked = await (await fetch(address, { credentials: "omit" })).json();
  const { algorithm, challenge, salt, signature } = asked;
  return btoa(JSON.stringify({ algorithm, challenge, number: await find(asked), salt, signature }));
};

for (const field of document.querySelectorAll("input[data-challenge]")) {
  let sending = false;
  let begun;
  const begin = () => {
    begun ??= { at: Date.now(), answer: solve(field.dataset.challenge) };
    begun.answer.catch(() => { begun = undefined; });
  };
  const answer = () => {
    if (begun && Date.now() - begun.at > GOOD_MS) begun = undefined;
    begin();
    return begun.answer;
  };
  field.form.addEventListener("focusin", begin);
  field.form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sending) return;
    sending = true;
    try {
      field.value = await answer();
    } catch {
      // Without a proof the service accepts the sign-up as suspected.
    }
    field.form.submit();
  });
  // The back button may restore the page with its proof, which is valid once.
  addEventListener("pageshow", (event) => {
    sending = false;
    if (event.persisted) begun = undefined;
  });
}
