"""Reads requests, one JSON object a line, sends them with http.client or urllib, and prints the answers in the same form."""

import http.client
import json
import sys
import urllib.error
import urllib.request

kind, port = sys.argv[1], int(sys.argv[2])
connection = http.client.HTTPConnection("127.0.0.1", port)
connection.connect()
# A connection that was closed would be opened anew without a word.
connection.auto_open = 0


def by_http_client(request, headers):
    connection.request(request["method"], request["path"], request.get("body"), headers)
    response = connection.getresponse()
    return response.status, response.read()


def by_urllib(request, headers):
    body = request.get("body")
    url = f"http://127.0.0.1:{port}{request['path']}"
    made = urllib.request.Request(url, body and body.encode(), headers, method=request["method"])
    try:
        with urllib.request.urlopen(made) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


for line in sys.stdin:
    request = json.loads(line)
    send = by_http_client if kind == "http.client" else by_urllib
    status, body = send(request, {"X-Vault-Token": request["token"]})
    print(json.dumps({"status": status, "body": body.decode()}))
