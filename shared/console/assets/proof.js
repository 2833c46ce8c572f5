// That a record is in the log: its bytes are hashed here, followed up the tree to the root, and the
// root stands in a checkpoint that the log's key has signed (RFC 9162, C2SP tlog-proof, signed-note).
// Nothing of this is believed because the server says so.
const BUNDLE = 256;
const FIRST_LINE = "c2sp.org/tlog-proof@v1";
const ED25519 = 1;

const bytesOf = (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
const joined = (...parts) => {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
};
const sha256 = async (...parts) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
const same = (one, other) =>
  one.length === other.length && one.every((byte, at) => byte === other[at]);
const must = (holds, why) => {
  if (!holds) throw new Error(why);
};

const fetched = async (path) => {
  const answer = await fetch(path);
  if (answer.status === 409) throw new Error("early");
  must(answer.ok, `${path}: ${answer.status}`);
  return answer;
};

// The log's own key: the first line, `name+hash+base64(type ‖ key)`.
let key;
export const logKey = (path) =>
  (key ??= fetched(path).then(async (answer) => {
    const text = (await answer.text()).split("\n")[0];
    const [name, hash, ...rest] = text.split("+");
    const typed = bytesOf(rest.join("+"));
    must(typed[0] === ED25519, "the key is not Ed25519");
    const id = (await sha256(new TextEncoder().encode(`${name}\n`), typed)).slice(0, 4);
    const hex = [...id].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    must(hash === hex, "the key's hash is wrong");
    return { text, name, id, public: typed.slice(1) };
  }));

// The proof file: index, siblings, and behind an empty line the checkpoint.
const read = (text) => {
  const end = text.indexOf("\n\n");
  const lines = text.slice(0, end).split("\n");
  must(lines.shift() === FIRST_LINE, "not a proof");
  if (lines[0]?.startsWith("extra ")) lines.shift();
  const [word, index] = lines.shift().split(" ");
  must(word === "index" && /^\d+$/.test(index), "no index");
  return { index: Number(index), siblings: lines.map(bytesOf), checkpoint: text.slice(end + 2) };
};

const signed = async (note, log) => {
  const end = note.lastIndexOf("\n\n");
  const body = note.slice(0, end + 1);
  const [origin, size, root] = body.split("\n");
  must(origin === log.name, "the checkpoint is another log's");
  const line = note.slice(end + 2).split("\n")
    .map((line) => /^— (\S+) (\S+)$/.exec(line))
    .find((line) => line?.[1] === log.name && same(bytesOf(line[2]).slice(0, 4), log.id));
  must(line, "the log has not signed this checkpoint");
  let good;
  try {
    const known = await crypto.subtle.importKey("raw", log.public, "Ed25519", false, ["verify"]);
    const signature = bytesOf(line[2]).slice(4);
    good = await crypto.subtle.verify("Ed25519", known, signature, new TextEncoder().encode(body));
  } catch {
    throw new Error("old");
  }
  must(good, "the checkpoint's signature is wrong");
  return { size: Number(size), root: bytesOf(root) };
};

// The record's bytes, out of the bundle of entries that they stand in.
const entry = async (index, size) => {
  const bundle = Math.floor(index / BUNDLE);
  const width = Math.min(BUNDLE, size - bundle * BUNDLE);
  const digits = String(bundle).padStart(Math.ceil(String(bundle).length / 3) * 3, "0");
  // Groups of three digits, all but the last behind an `x`.
  const place = digits.replace(/\d{3}(?=\d)/g, "x$&/");
  const path = `/tile/entries/${place}${width < BUNDLE ? `.p/${width}` : ""}`;
  const bytes = new Uint8Array(await (await fetched(path)).arrayBuffer());
  let at = 0;
  for (let left = index % BUNDLE; ; left -= 1) {
    const length = (bytes[at] << 8) | bytes[at + 1];
    must(at + 2 + length <= bytes.length, "the bundle ends early");
    if (left === 0) return bytes.slice(at + 2, at + 2 + length);
    at += 2 + length;
  }
};

// RFC 9162, section 2.1.3.2.
const rootOf = async (leaf, index, size, siblings) => {
  let [fn, sn, root] = [index, size - 1, leaf];
  for (const sibling of siblings) {
    must(sn > 0, "the proof is too long");
    if (fn % 2 === 1 || fn === sn) {
      root = await sha256([1], sibling, root);
      while (fn % 2 === 0 && fn > 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)];
    } else {
      root = await sha256([1], root, sibling);
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  must(sn === 0, "the proof is too short");
  return root;
};

// The id of a command or a commit is the first field of its bytes: 16 bytes.
const isOf = (bytes, record) => {
  const hex = [...bytes.slice(2, 18)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return bytes[0] === 0x0a && bytes[1] === 16 && hex === record.replaceAll("-", "");
};

// Checks a record; fails with the first thing that is wrong.
export const check = async (record, log) => {
  const text = await (await fetched(`/v1/audit/proof/${record}`)).text();
  const { index, siblings, checkpoint } = read(text);
  const { size, root } = await signed(checkpoint, log);
  must(index < size, "the index is beyond the tree");
  const bytes = await entry(index, size);
  must(isOf(bytes, record), "another record stands there");
  const leaf = await sha256([0], bytes);
  must(same(await rootOf(leaf, index, size, siblings), root), "the root is another one");
  return { index, size };
};
