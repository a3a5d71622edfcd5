#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""Makes the C++ tables of the dictionary from the CSV files beside this script.

usage: generate.py FOLDER shapes|ids|tables|words OUTPUT

shapes  diameter/dictionary_shapes.hh: shape_of, one octet a code
ids     diameter/avp_ids.hh: a named constant for each AVP
tables  dictionary_tables.cc: find_avp, group_rules, command_rules, enum_name
words   diameter.dict: what libFuzzer puts into messages, in its own format
"""
import csv
import pathlib
import re
import sys

HEAD = """// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Made by diameter/dictionary/generate.py from the tables beside it. Not to be edited.
"""
TYPES = {
    "OctetString": "octet_string", "UTF8String": "utf8_string",
    "DiameterIdentity": "diameter_identity", "DiameterURI": "diameter_uri",
    "IPFilterRule": "ip_filter_rule", "QoSFilterRule": "qos_filter_rule", "Address": "address",
    "Time": "time", "Enumerated": "enumerated", "Integer32": "integer32",
    "Unsigned32": "unsigned32", "Float32": "float32", "Integer64": "integer64",
    "Unsigned64": "unsigned64", "Grouped": "grouped",
}
KEYWORDS = {"class", "register", "default", "operator", "switch", "union"}
DIRECT_VENDORS = (0, 10415)  # those with a table that the code indexes
ANY = "*AVP*"


def rows_of(folder, name):
    with open(folder / name, encoding="utf-8", newline="") as table:
        yield from csv.DictReader(table)


def text_literal(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def identifier(name):
    word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    word = word.replace("3gpp", "threegpp", 1) if word.startswith("3gpp") else word
    if word[0].isdigit():
        word = "n" + word
    return word + "_" if word in KEYWORDS else word


def load_avps(folder):
    """All AVPs, sorted; refuses a type that it does not know and an identity that stands twice."""
    avps = {}
    for row in rows_of(folder, "avps.csv"):
        key = (int(row["vendor_id"]), int(row["code"]))
        if key in avps:
            sys.exit(f"avps.csv: {key} stands twice")
        if row["type"] not in TYPES:
            sys.exit(f"avps.csv: {row['name']} has the unknown type {row['type']}")
        must = row["flags_must"]
        flags = (0x80 if key[0] else 0) | (0x40 if "M" in must else 0)
        avps[key] = {"code": key[1], "vendor": key[0], "name": row["name"], "flags": flags,
                     "type": TYPES[row["type"]], "must": "M" in must,
                     "must_not": "M" in row["flags_must_not"]}
    return [avps[key] for key in sorted(avps)]


def id_literal(avp):
    return f"{{{avp['code']}, {avp['vendor']}, {avp['flags']:#04x}, AvpType::{avp['type']}}}"


def shapes(folder):
    """One table for both vendors, the second behind the first, so that decoders touch one table."""
    avps = load_avps(folder)
    mine = {v: {a["code"]: a for a in avps if a["vendor"] == v} for v in DIRECT_VENDORS}
    limits = [max(mine[v]) + 1 for v in DIRECT_VENDORS]
    size = sum(limits)
    lines = [HEAD, "#pragma once\n", "#include <array>\n",
             '#include "diameter/dictionary_types.hh"\n',
             "namespace tollgate::diameter {\n",
             f"inline constexpr std::array<AvpShape, {size}> avp_shapes = [] {{",
             f"  std::array<AvpShape, {size}> shapes{{}};",
             "  // What is not set stays unknown."]
    by_type = {}
    for vendor, first in zip(DIRECT_VENDORS, (0, limits[0])):
        for code, avp in mine[vendor].items():
            by_type.setdefault(avp["type"], []).append(first + code)
    for kind, places in sorted(by_type.items()):
        lines.append(f"  for (const u16 place : {{{', '.join(f'u16{{{p}}}' for p in places)}}})")
        lines.append(f"    shapes[place] = shape_of_type(AvpType::{kind});")
    lines.append("  return shapes;\n}();\n")
    for avp in avps:
        if avp["vendor"] not in DIRECT_VENDORS:
            lines.append(f"// {avp['name']} ({avp['code']}, {avp['vendor']}) is taken for unknown.")
    lines += ["[[gnu::always_inline]] inline AvpShape shape_of(u32 code, u32 vendor) {",
              f"  if (vendor == {DIRECT_VENDORS[1]} && code < {limits[1]})",
              f"    return avp_shapes[{limits[0]} + code];",
              f"  return vendor == 0 && code < {limits[0]} ? avp_shapes[code] : AvpShape::unknown;",
              "}\n\n}  // namespace tollgate::diameter"]
    return lines


def ids(folder):
    lines = [HEAD, "#pragma once\n", '#include "diameter/dictionary_types.hh"\n',
             "namespace tollgate::diameter::avp {\n"]
    seen = set()
    for avp in load_avps(folder):
        word = identifier(avp["name"])
        if word in seen:
            word = f"{word}_{avp['code']}"
        seen.add(word)
        lines.append(f"inline constexpr AvpId {word}{id_literal(avp)};")
    lines.append("\n}  // namespace tollgate::diameter::avp")
    return lines


def merged_rules(rows, key_of):
    """Rules by key. Where documents differ about a member, the more tolerant count counts."""
    merged = {}
    for row in rows:
        members = merged.setdefault(key_of(row), {})
        if not row["child_code"]:  # *[ AVP ], or a member that only a name is known of
            members[ANY] = None
            continue
        child = (int(row["child_code"]), int(row["child_vendor"]))
        low = int(row["min"])
        high = 0xFFFF if row["max"] == "*" else int(row["max"])
        old_low, old_high = members.get(child, (low, high))
        members[child] = (min(low, old_low), max(high, old_high))
    return merged


def complete_minimum(merged, rows, key_of, document_of):
    """A member that one document of a key does not have at all is not mandatory."""
    documents = {}
    for row in rows:
        documents.setdefault(key_of(row), {}).setdefault(document_of(row), set()).add(
            (row["child_code"], row["child_vendor"]))
    for key, members in merged.items():
        for child, counts in members.items():
            if child == ANY:
                continue
            name = (str(child[0]), str(child[1]))
            if any(name not in there for there in documents[key].values()):
                members[child] = (0, counts[1])


def rule_lines(merged, prefix):
    lines, index = [], []
    lines.append(f"constexpr MemberRule {prefix}_members[] = {{")
    first = 0
    for key in sorted(merged):
        members = merged[key]
        real = sorted((c, n) for c, n in members.items() if c != ANY)
        for (code, vendor), (low, high) in real:
            lines.append(f"    {{{code}, {vendor}, {low}, {high}}},")
        others = "true" if ANY in members else "false"
        index.append(f"    {{{key[0]}, {key[1]}, {first}, {len(real)}, {others}}},")
        first += len(real)
    lines.append("};")
    lines.append(f"constexpr RulesEntry {prefix}_index[] = {{")
    return lines + index + ["};\n"]


def tables(folder):
    avps = load_avps(folder)
    vendor_by_name = {(a["name"], a["code"]): a["vendor"] for a in avps}
    lines = [HEAD, '#include "diameter/dictionary_tables.hh"\n',
             "namespace tollgate::diameter::tables {\n",
             "namespace {\n", "constexpr AvpInfo infos[] = {"]
    for a in avps:
        flags = f"{str(a['must']).lower()}, {str(a['must_not']).lower()}"
        lines.append(f"    {{{id_literal(a)}, {text_literal(a['name'])}, {flags}}},")
    lines.append("};\n")

    groups = [r for r in rows_of(folder, "groups.csv")
              if (r["parent"], int(r["parent_code"])) in vendor_by_name]

    def group_key(row):
        code = int(row["parent_code"])
        return code, vendor_by_name[(row["parent"], code)]
    merged = merged_rules(groups, group_key)
    complete_minimum(merged, groups, group_key, lambda r: r["context"])
    lines += rule_lines(merged, "group")

    commands = list(rows_of(folder, "commands.csv"))

    def command_key(row):
        return int(row["code"]), 1 if "REQ" in row["header_flags"] else 0
    merged = merged_rules(commands, command_key)
    complete_minimum(merged, commands, command_key, lambda r: r["context"])
    lines += rule_lines(merged, "command")

    enums = sorted({(int(r["code"]), int(r["vendor_id"]), int(r["value"])): r["name"]
                    for r in rows_of(folder, "enums.csv")}.items())
    lines.append("constexpr EnumEntry enum_entries[] = {")
    for (code, vendor, value), name in enums:
        lines.append(f"    {{{code}, {vendor}, {value}, {text_literal(name)}}},")
    lines.append("};\n\n}  // namespace\n")
    lines.append("const Tables dictionary{infos, group_index, group_members, command_index,")
    lines.append("                        command_members, enum_entries};\n")
    lines.append("}  // namespace tollgate::diameter::tables")
    return lines


def reachable(folder):
    """The AVPs of our commands, and what their groups hold, however deep, by (code, vendor)."""
    members = {}
    for row in rows_of(folder, "groups.csv"):
        if row["child_code"]:
            child = (int(row["child_code"]), int(row["child_vendor"]))
            members.setdefault(int(row["parent_code"]), set()).add(child)
    found = set()
    waiting = [(int(row["child_code"]), int(row["child_vendor"]))
               for row in rows_of(folder, "commands.csv") if row["child_code"]]
    while waiting:
        avp = waiting.pop()
        if avp not in found:
            found.add(avp)
            waiting += members.get(avp[0], ())
    return found


def words(folder):
    """An AVP as far as its type says it: all of it if the type has one length, else its header.
    Enumerated ones once for each value that has a name. And each command's version to code."""
    fixed = {"integer32": 4, "unsigned32": 4, "float32": 4, "time": 4, "integer64": 8,
             "unsigned64": 8}
    names = {}
    for row in rows_of(folder, "enums.csv"):
        key = (int(row["code"]), int(row["vendor_id"]))
        names.setdefault(key, set()).add(int(row["value"]))
    ours, found = reachable(folder), set()
    for avp in load_avps(folder):
        key = (avp["code"], avp["vendor"])
        if key not in ours:
            continue
        values = [bytes(fixed.get(avp["type"], 0))]
        if avp["type"] == "enumerated":
            values = [v.to_bytes(4, "big", signed=v < 0) for v in sorted(names.get(key, {0}))]
        vendor = avp["vendor"].to_bytes(4, "big") if avp["vendor"] else b""
        for value in values:
            length = (8 + len(vendor) + len(value)).to_bytes(3, "big")
            found.add(avp["code"].to_bytes(4, "big") + bytes([avp["flags"]]) + length + vendor +
                      value)
    for row in rows_of(folder, "commands.csv"):
        flags = 0xC0 if "REQ" in row["header_flags"] else 0x40
        found.add(bytes([flags]) + int(row["code"]).to_bytes(3, "big"))
    return ['"' + "".join(f"\\x{octet:02x}" for octet in word) + '"' for word in sorted(found)]


def main():
    makers = {"shapes": shapes, "ids": ids, "tables": tables, "words": words}
    if len(sys.argv) != 4 or sys.argv[2] not in makers:
        sys.exit(__doc__)
    lines = makers[sys.argv[2]](pathlib.Path(sys.argv[1]))
    pathlib.Path(sys.argv[3]).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
