"""Runs the steps of a composite action as GitHub's runner does: expressions, environment, outputs, the first failure.

usage: runner.py ACTION_FOLDER TEMP WORKSPACE < JSON of {"inputs": {...}, "github": {...}, "env": {...}}
Actions that steps use are not run: what they would be given is told. Prints JSON.
"""

import json
import pathlib
import re
import subprocess
import sys

import yaml

action_folder, temp, workspace = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
given = json.load(sys.stdin)
action = yaml.safe_load((action_folder / "action.yml").read_text())
unknown = set(given["inputs"]) - set(action["inputs"])
assert not unknown, f"the action has no input {unknown}"
inputs = {name: about.get("default", "") for name, about in action["inputs"].items()} | given["inputs"]
github = {"action_repository": "", "token": "none"} | given["github"]
steps = {}


def lookup(path):
    path = path.strip()
    if path.startswith("'"):
        return path[1:-1]
    value = {"inputs": inputs, "github": github, "steps": steps}
    for part in path.split("."):
        # What is not there is empty, and so is what is in it.
        value = value.get(part, "") if isinstance(value, dict) else ""
    return value


def evaluate(expression):
    """`a || b`, `a && b`, `a == b`, in this order; names and strings."""
    for operator in ("||", "&&"):
        if operator in expression:
            left, right = (evaluate(part) for part in expression.split(operator, 1))
            return (left or right) if operator == "||" else (left and right)
    if "==" in expression:
        left, right = (lookup(part) for part in expression.split("=="))
        return left == right
    return lookup(expression)


def expand(text):
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(evaluate(found[1])), str(text))


def run(step, folder):
    """Runs a step with bash; its status and what it printed. Its outputs are remembered."""
    files = {name: folder / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")}
    files["GITHUB_OUTPUT"].write_text("")
    environment = {name: expand(value) for name, value in step.get("env", {}).items()}
    environment |= {name: str(path) for name, path in files.items()} | {"RUNNER_TEMP": str(temp)}
    environment["GITHUB_ACTION_PATH"] = str(action_folder)
    environment |= given["env"]
    assert "${{" not in step["run"], "an expression in a script is an injection"
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(command, env=environment, cwd=workspace, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
    steps[step.get("id", "")] = {"outputs": outputs}
    return done.returncode, done.stdout.decode()


def main():
    folder = temp / "runner"
    folder.mkdir(parents=True, exist_ok=True)
    status, log, used = 0, "", []
    for step in action["runs"]["steps"]:
        if "if" in step and not evaluate(step["if"]):
            continue
        if "uses" in step:
            used.append({"uses": step["uses"], "with": {name: expand(value) for name, value in step["with"].items()}})
            continue
        status, printed = run(step, folder)
        log += printed
        if status != 0:
            break
    outputs = {name: expand(about["value"]) for name, about in action["outputs"].items()}
    text = {name: (folder / name).read_text() if (folder / name).exists() else "" for name in ("github_step_summary", "github_path")}
    found = {"status": status, "log": log, "used": used, "outputs": outputs}
    print(json.dumps(found | {"summary": text["github_step_summary"], "path": text["github_path"]}))


main()
