"""Compares the bill of materials with the crates from which the binary says that it was built.

    compare-sbom.py CRATES SBOM

CRATES is the section that `cargo auditable` writes into the binary: JSON, compressed by zlib. SBOM is CycloneDX. Every
crate of the binary must be in it, with its version and its licence.
"""

import json
import sys
import zlib
from pathlib import Path

crates, sbom = map(Path, sys.argv[1:])
inside = {
    (package["name"], package["version"])
    for package in json.loads(zlib.decompress(crates.read_bytes()))["packages"]
    # The others ran while the gateway was built, or are the gateway itself.
    if package.get("kind", "runtime") == "runtime" and not package.get("root")
}
described = {
    (component["name"], component["version"]): component.get("licenses")
    for component in json.loads(sbom.read_text())["components"]
}
problems = [f"{name} {version} is not in {sbom}" for name, version in sorted(inside - described.keys())]
problems += [
    f"{name} {version} has no licence in {sbom}"
    for name, version in sorted(inside & described.keys())
    if not described[name, version]
]
if len(inside) < 100:
    problems.append(f"the binary names only {len(inside)} crates")
for problem in problems:
    print(f"compare-sbom: {problem}", file=sys.stderr)
print(f"{len(inside)} crates, all in the bill of materials" if not problems else f"{len(problems)} problems")
sys.exit(bool(problems))
