/* Removes invisible and typographic characters from a pasted e-mail address before the browser validates it. The rules
   and their reasons are those of services/submission/values/pasted_addresses.py. Acts on the inputs with data-pasted of
   our own pages; embed.js imports it. */
const LONGEST = 500;
// Joiners between non-ASCII letters stay: some scripts need them to spell a word.
const LETTER = "(?![\\0-\\x7f])[\\p{L}\\p{M}]";
const JOINER = `(?<=${LETTER})[\\u200c\\u200d](?=${LETTER})`;
const UNSEEN = new RegExp(`(?!${JOINER})[\\p{Cf}\\p{Default_Ignorable_Code_Point}]`, "gu");
const WORDS = /[^ \xa0@]{2,}\xa0+[^ \xa0@]{2,}\xa0+[^@]*@|@[^@]*\.[^ \xa0@.]{2,}\xa0+[^ \xa0@.]{2,}/u;

const once = (pasted) => {
  const text = pasted
    .replace(/[\uff01-\uff5e\ufe50-\ufe6b]/g, (sign) => sign.normalize("NFKC"))
    .replace(/[\u3002\uff61](?=[^@]*$)/g, ".")
    .replace(UNSEEN, "")
    .replace(/[ \t\n\r\f\v]+/g, " ")
    .replace(/[^\S ]|\u2800/g, "\xa0")
    .replace(/[ \xa0]*([@.])[ \xa0]*/g, "$1")
    .replace(/^[ \xa0]+|[ \xa0]+$/g, "")
    .replace(/^<([^<>]*)>$/, "$1")
    .replace(/^mailto:/i, "")
    .replace(/[,;]+$|(?<![.])[.][,;]*$/, "");
  return WORDS.test(text) ? text : text.replaceAll("\xa0", "");
};

export const asMeant = (pasted) => {
  let address = pasted;
  if (address.length > LONGEST) return address;
  for (let before; before !== address;) [before, address] = [address, once(address)];
  return address;
};

for (const input of document.querySelectorAll("input[data-pasted]")) {
  input.addEventListener("change", () => { input.value = asMeant(input.value); });
}
