"""Checks the manifests of deploy/kubernetes: scripts/manifests.sh runs it.

    check-manifests.py PROGRAM

Every object must fit the strict schema of the oldest and of a new Kubernetes, every selector must find what it is for,
every pod must be as restricted as it can be, and the gateway PROGRAM must accept the settings.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import kubernetes_validate
import yaml

FOLDER = Path("deploy/kubernetes")
VERSIONS = ("1.30", "1.37")
# The schema of the Prometheus operator is not among those of Kubernetes.
FOREIGN = {"ServiceMonitor"}
# How long a process goes on accepting after SIGTERM, and the least that has to be left after everything else.
ACCEPTS_ON, SPARE = 1, 5

problems = []


def objects(folder: Path) -> list[dict]:
    """The objects of a kustomization. Every file of its folder must be listed in it."""
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    files = sorted(path.name for path in folder.glob("*.yaml") if path.name != "kustomization.yaml")
    if sorted(listed) != files:
        problems.append(f"{folder}/kustomization.yaml lists {listed}, but there is {files}")
    return [found for name in files for found in yaml.safe_load_all((folder / name).read_text())]


def name_of(found: dict) -> str:
    return f"{found['kind']} {found['metadata']['name']}"


def selects(selector: dict, labels: dict) -> bool:
    expressions = selector.get("matchExpressions", [])
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        expression["operator"] == "In" and labels.get(expression["key"]) in expression["values"]
        for expression in expressions
    )


def check_schemas(all_objects: list[dict]) -> None:
    for found in all_objects:
        for version in VERSIONS if found["kind"] not in FOREIGN else ():
            try:
                kubernetes_validate.validate(found, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                problems.append(f"{name_of(found)} ({version}): {error.message}")


def check_selectors(all_objects: list[dict], pods: dict[str, dict]) -> None:
    labels = [pod["metadata"]["labels"] for pod in pods.values()]
    services = [found["metadata"]["labels"] for found in all_objects if found["kind"] == "Service"]
    for found in all_objects:
        selector, candidates = {
            "Service": lambda spec: ({"matchLabels": spec["selector"]}, labels),
            "PodDisruptionBudget": lambda spec: (spec["selector"], labels),
            "Deployment": lambda spec: (spec["selector"], [spec["template"]["metadata"]["labels"]]),
            "NetworkPolicy": lambda spec: (spec["podSelector"], labels),
            "ServiceMonitor": lambda spec: (spec["selector"], services),
        }.get(found["kind"], lambda _: (None, []))(found.get("spec"))
        if selector is not None and not any(selects(selector, candidate) for candidate in candidates):
            problems.append(f"{name_of(found)} selects nothing")


def check_pod(name: str, spec: dict) -> None:
    outside = spec["securityContext"]
    expected = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    if not expected.items() <= outside.items() or spec["automountServiceAccountToken"]:
        problems.append(f"{name}: the pod is not restricted")
    for container in spec["containers"]:
        inside = container["securityContext"]
        expected = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True}
        if not expected.items() <= inside.items() or inside["capabilities"] != {"drop": ["ALL"]}:
            problems.append(f"{name}: the container is not restricted")


def check_grace(name: str, spec: dict, settings: dict) -> None:
    before = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    least = before + ACCEPTS_ON + int(settings["SHUTDOWN_GRACE_SECONDS"]) + SPARE
    if spec["terminationGracePeriodSeconds"] < least:
        problems.append(f"{name}: terminationGracePeriodSeconds must be at least {least}")


def check_settings(name: str, spec: dict, settings: dict, program: str) -> None:
    """Lets the gateway read the settings. Their secrets are in files, as in the pod."""
    container = spec["containers"][0]
    mount = container["volumeMounts"][0]["mountPath"]
    known = Path(".env.example").read_text()
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(settings)
        for variable in container["env"]:
            environment[variable["name"]] = variable["value"].replace(mount, folder)
        for variable, value in environment.items():
            if variable.endswith("_FILE"):
                text = "postgres://127.0.0.1:1/none" if "DATABASE" in variable else f"name={variable * 2}"
                Path(value).write_text(text)
            if f"{variable.removesuffix('_FILE')}=" not in known:
                problems.append(f"{name}: {variable} is no setting of .env.example")
        run = subprocess.run([program, "doctor", "--json"], env=environment, cwd=folder, capture_output=True, check=False)
    for check in json.loads(run.stdout)["checks"]:
        if check["check"].startswith("settings") and check["status"] != "fine":
            problems.append(f"{name}: {check['check']} {check['finding']}")


def main(program: str) -> None:
    all_objects = objects(FOLDER) + objects(FOLDER / "monitoring")
    check_schemas(all_objects)
    pods = {name_of(found): found["spec"]["template"] for found in all_objects if "template" in found.get("spec", {})}
    check_selectors(all_objects, pods)
    settings = next(found["data"] for found in all_objects if found["kind"] == "ConfigMap")
    for name, pod in pods.items():
        check_pod(name, pod["spec"])
        if name.startswith("Deployment"):
            check_grace(name, pod["spec"], settings)
            check_settings(name, pod["spec"], settings, program)
    for problem in problems:
        print(f"manifests: {problem}", file=sys.stderr)
    print(f"{len(all_objects)} objects of Kubernetes, {len(problems)} problems")
    sys.exit(bool(problems))


main(sys.argv[1])
