"""Checks an export of one alert without any code of ours: Python's hashlib and openssl.

Usage: check_alert.py FOLDER VKEY [WITNESS-VKEY…]. Exits with 0 where every record is in the signed
log, signed by a key that is good there, and its words are what was committed to; each witness that
is named must have signed the checkpoint too.
Sources: RFC 9162, 2.1.3.2; C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof.
"""
import base64
import pathlib
import sys

from check_signatures import check, digest, signed_by


def parts(vkey, kind):
    """Name, id and public key of a vkey of this type."""
    name, key_id, key = vkey.split("+", 2)
    key = base64.b64decode(key)
    assert key[0] == kind and len(key) == 33, "not an Ed25519 key of this type"
    assert digest(name.encode(), b"\n", key)[:4].hex() == key_id, "the key has another id"
    return name, key_id, key


def cosigned(note, vkey):
    """A witness has signed the checkpoint, with the time."""
    name, key_id, key = parts(vkey, 4)
    text, _, lines = note.rpartition("\n\n")
    for line in lines.splitlines():
        _, signer, blob = line.split(" ")
        blob = base64.b64decode(blob)
        if signer == name and blob[:4].hex() == key_id:
            head = f"cosignature/v1\ntime {int.from_bytes(blob[4:12], 'big')}\n"
            message = (head + text + "\n").encode()
            assert signed_by(key[1:], message, blob[12:]), "a cosignature is wrong"
            return
    raise AssertionError(f"{name} did not sign the checkpoint")


def checkpoint(note, vkey):
    """The size and the root, where the key signed them."""
    name, key_id, key = parts(vkey, 1)
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


def main(folder, vkey, *witnesses):
    folder = pathlib.Path(folder)
    note = (folder / "checkpoint").read_text(encoding="utf-8")
    size, root = checkpoint(note, vkey)
    for witness in witnesses:
        cosigned(note, witness)
    records = sorted((folder / "records").iterdir(), key=lambda path: int(path.name))
    assert records, "there are no records"
    checked = []
    for path in records:
        index, message = int(path.name), path.read_bytes()
        file = (folder / "proofs" / f"{index}.tlog-proof").read_text(encoding="utf-8")
        head, _, same = file.partition("\n\n")
        first, place, *hashes = head.splitlines()
        assert first == "c2sp.org/tlog-proof@v1" and place == f"index {index}", path
        assert same == note, "the proof is of another checkpoint"
        leaf = digest(b"\x00", message)
        found = root_of(leaf, index, size, [base64.b64decode(line) for line in hashes])
        assert found == root, f"record {index} is not in the log"
        checked.append((index, message))
    signed = check(folder, checked)
    print(f"{len(records)} records are in a log of {size}, {signed} of them signed")


if __name__ == "__main__":
    main(*sys.argv[1:])
