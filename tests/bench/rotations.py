"""Rotates generated values in a real OpenBao, several at once, and says how long it took. See rotations.sh."""

import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def ask(address, method, path, token=None, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}/v1/{path}", data, method=method)
    if token:
        request.add_header("X-Vault-Token", token)
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def until(condition):
    end = time.monotonic() + 30
    while True:
        try:
            return condition()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def start(bao, folder):
    address = f"http://127.0.0.1:{free_port()}"
    with open(f"{folder}/bao.hcl", "w") as config:
        config.write(f'storage "inmem" {{}}\nlistener "tcp" {{ address = "{address[7:]}" tls_disable = true }}\n')
        config.write(f'api_addr = "{address}"\n')
    log = open(f"{folder}/bao.log", "w")
    server = subprocess.Popen([bao, "server", f"-config={folder}/bao.hcl"], stdout=log, stderr=log)
    made = until(lambda: ask(address, "PUT", "sys/init", None, {"secret_shares": 1, "secret_threshold": 1}))
    ask(address, "PUT", "sys/unseal", None, {"key": made["keys"][0]})
    until(lambda: ask(address, "GET", "sys/health"))
    return server, address, made["root_token"]


def estate(folder, address, token, secrets, at_once):
    ask(address, "POST", "sys/mounts/secret", token, {"type": "kv", "options": {"version": "2"}})
    tables = [
        f'[[store]]\nname = "vault"\nkind = "vault"\naddress = "{address}"\nmounts = ["secret"]\n'
        'auth = { method = "token", token_env = "BENCH_TOKEN" }\n'
        f"[rotation]\nat_once = {at_once}\n"
    ]
    for number in range(secrets):
        body = {"data": {"value": f"planted-{number:05}", "other": "stays"}}
        until(lambda: ask(address, "PUT", f"secret/data/s{number:05}", token, body))
        tables.append(
            f'[[secret]]\nkey = "SECRET_{number:05}"\nowner = "bench"\ncadence = "on leak"\nconsumers = []\n'
            f'copies = ["vault:secret/s{number:05}#value"]\nissuer = {{ kind = "generate" }}\ngrace = "0s"\n'
        )
    with open(f"{folder}/keytrail.toml", "w") as config:
        config.write("\n".join(tables))


def main():
    keytrail, bao, secrets, at_once, times = sys.argv[1:]
    walls = []
    for _ in range(int(times)):
        with tempfile.TemporaryDirectory() as folder:
            server, address, token = start(bao, folder)
            try:
                estate(folder, address, token, int(secrets), at_once)
                env = {"BENCH_TOKEN": token, "HOME": folder, "PATH": os.environ["PATH"]}
                items = [f"SECRET_{number:05}" for number in range(int(secrets))]
                before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
                done = subprocess.run([keytrail, "rotate", *items, "--yes"], cwd=folder, env=env, capture_output=True)
                wall = time.monotonic() - begun
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                if done.returncode:
                    sys.exit(f"exit status {done.returncode}: {done.stderr.decode()[-2000:]}")
                changed = 0
                for number in range(int(secrets)):
                    held = ask(address, "GET", f"secret/data/s{number:05}", token)["data"]["data"]
                    changed += held["value"] != f"planted-{number:05}" and held["other"] == "stays"
                cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                print(f"{changed} rotated: {wall:.1f} s, {cpu:.1f} s of CPU, {after.ru_maxrss / 1024:.0f} MB")
                walls.append(wall)
            finally:
                server.kill()
                server.wait()
    print(f"median {statistics.median(walls):.1f} s")


main()
