"""Reads one request per line (name, method, URL, headers as JSON, size of the body, expected status).
Sends each request many times, and prints how often the expected answer arrived."""
import json
import sys

import requests

times = int(sys.argv[1])
for line in sys.stdin:
    name, method, url, headers, size, status = line.rstrip("\n").split("\t")
    headers, body, received, lost = json.loads(headers), b" " * int(size), 0, ""
    for _ in range(times):
        try:
            answer = requests.request(method, url, headers=headers, data=body, timeout=30)
            received += answer.status_code == int(status)
        except requests.RequestException as error:
            lost = type(error).__name__
    print(f"{name}\t{received}\t{lost}", flush=True)
