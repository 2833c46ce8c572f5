"""Checks an export of one alert without any code of ours: Python's hashlib and openssl.

Usage: check_alert.py FOLDER VKEY. Exits with 0 where every record is in the signed log.
Sources: RFC 9162, 2.1.3.2; C2SP signed-note, tlog-checkpoint, tlog-proof.
"""
import base64
import hashlib
import pathlib
import subprocess
import sys
import tempfile

# The DER of an Ed25519 public key begins so (RFC 8410).
ED25519 = bytes.fromhex("302a300506032b6570032100")


def digest(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def signed_by(public, message, signature):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "key").write_bytes(ED25519 + public)
        (folder / "message").write_bytes(message)
        (folder / "signature").write_bytes(signature)
        done = subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin",
             "-inkey", folder / "key", "-in", folder / "message",
             "-sigfile", folder / "signature"], capture_output=True)
        return done.returncode == 0


def checkpoint(note, vkey):
    """The size and the root, where the key signed them."""
    name, key_id, key = vkey.split("+", 2)
    key = base64.b64decode(key)
    assert key[0] == 1 and len(key) == 33, "not an Ed25519 key of a log"
    assert digest(name.encode(), b"\n", key)[:4].hex() == key_id, "the key has another id"
    text, _, lines = note.rpartition("\n\n")
    text += "\n"
    for line in lines.splitlines():
        dash, signer, blob = line.split(" ")
        blob = base64.b64decode(blob)
        if dash == "—" and signer == name and blob[:4].hex() == key_id:
            assert signed_by(key[1:], text.encode(), blob[4:]), "the signature is wrong"
            origin, size, root = text.splitlines()
            assert origin == name, "the checkpoint is of another log"
            return int(size), base64.b64decode(root)
    raise AssertionError("the key did not sign the checkpoint")


def root_of(leaf, index, size, proof):
    """RFC 9162, 2.1.3.2."""
    assert index < size
    fn, sn, found = index, size - 1, leaf
    for sibling in proof:
        assert sn > 0, "the proof is too long"
        if fn & 1 or fn == sn:
            found = digest(b"\x01", sibling, found)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = digest(b"\x01", found, sibling)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0, "the proof is too short"
    return found


def main(folder, vkey):
    folder = pathlib.Path(folder)
    note = (folder / "checkpoint").read_text(encoding="utf-8")
    size, root = checkpoint(note, vkey)
    records = sorted((folder / "records").iterdir(), key=lambda path: int(path.name))
    assert records, "there are no records"
    for path in records:
        index = int(path.name)
        file = (folder / "proofs" / f"{index}.tlog-proof").read_text(encoding="utf-8")
        head, _, same = file.partition("\n\n")
        first, place, *hashes = head.splitlines()
        assert first == "c2sp.org/tlog-proof@v1" and place == f"index {index}", path
        assert same == note, "the proof is of another checkpoint"
        leaf = digest(b"\x00", path.read_bytes())
        found = root_of(leaf, index, size, [base64.b64decode(line) for line in hashes])
        assert found == root, f"record {index} is not in the log"
    print(f"{len(records)} records are in a log of {size}")


if __name__ == "__main__":
    main(*sys.argv[1:])
