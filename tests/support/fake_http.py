#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""An HTTP server that answers as it is told: what real servers cannot be made to show.

    fake_http.py [--tls CERT KEY [CLIENT_CA]]    prints "listening PORT"

Orders are JSON lines on standard input, each answered by a line:

    {"script": [ANSWER, ...]}   what the next requests get; the last one stays
    {"report": true}   {"requests": [{"method", "path", "headers", "body", "lines", "connection", "at", "answer"}], "connections": N}
                       body: its first 1000 characters; at: when it had come, in seconds
    {"save": PATH}     the same into a file, with all of each body

An ANSWER is {"status": 429, "headers": {...}, "body": "text"}, each optional (204), or one of

    {"fault": "silent"}      reads the request and never answers
    {"fault": "close"}       closes after the body, without an answer
    {"fault": "late", "seconds": 0.5}         then 204
    {"fault": "huge", "bytes": N, "status": S}  a body of that many bytes
    {"fault": "chunks", "status": S}          a chunk whose length is no number
    {"fault": "cut", "status": S}             promises more than it sends
    {"fault": "garbage"}     what is no HTTP
"""

import argparse
import gzip
import json
import os
import socket
import ssl
import sys
import threading
import time

LOCK = threading.Lock()
STATE = {"script": [{}], "requests": [], "connections": 0}


def read_request(file):
    """(method, path, headers, body), or None at the end of the connection."""
    line = file.readline()
    if not line.strip():
        return None
    method, path, _ = line.decode("latin-1").split(" ", 2)
    headers = {}
    while True:
        line = file.readline().decode("latin-1").rstrip("\r\n")
        if not line:
            break
        key, value = line.split(":", 1)
        headers[key.strip().lower()] = value.strip()
    body = file.read(int(headers.get("content-length", 0)))
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return method, path, headers, body


def next_answer():
    script = STATE["script"]
    return script.pop(0) if len(script) > 1 else script[0]


def answer_bytes(status, headers, body):
    lines = [f"HTTP/1.1 {status} Because"] + [f"{key}: {value}" for key, value in headers.items()]
    if status != 204 and "content-length" not in {key.lower() for key in headers}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def send_answer(connection, answer):
    """False: the connection is over."""
    fault, status = answer.get("fault"), answer.get("status", 204)
    if fault == "silent":
        connection.recv(1)  # until the other side gives up
        return False
    if fault == "close":
        return False
    if fault == "late":
        time.sleep(answer["seconds"])
    if fault == "huge":
        connection.sendall(answer_bytes(status, {"Content-Length": answer["bytes"]}, b""))
        for _ in range(answer["bytes"] // 65536 + 1):
            connection.sendall(b"x" * 65536)
        return False
    if fault == "chunks":
        connection.sendall(answer_bytes(status, {"Transfer-Encoding": "chunked", "Content-Length": 0}, b"zz;\r\nx\r\n")
                           .replace(b"Content-Length: 0\r\n", b""))
        return False
    if fault == "cut":
        connection.sendall(answer_bytes(status, {"Content-Length": 1000}, b'{"error":"partial'))
        return False
    if fault == "garbage":
        connection.sendall(b"220 mail.example ESMTP\r\n")
        return False
    connection.sendall(answer_bytes(status, answer.get("headers", {}), answer.get("body", "").encode()))
    return True


def serve(connection, number):
    try:
        file = connection.makefile("rb")
        while True:
            request = read_request(file)
            if request is None:
                break
            with LOCK:
                method, path, headers, body = request
                answer = next_answer()
                STATE["requests"].append({"method": method, "path": path, "headers": headers, "body": body.decode("utf-8", "replace"),
                                          "lines": body.count(b"\n"), "connection": number, "at": time.monotonic(),
                                          "answer": answer.get("fault", answer.get("status", 204))})
            if not send_answer(connection, answer):
                break
    except ValueError:  # a TLS hello, say
        connection.sendall(answer_bytes(400, {}, b""))
    except OSError:
        pass
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    connection.close()


def accept(listener, context):
    while True:
        connection, _ = listener.accept()
        with LOCK:
            STATE["connections"] += 1
            number = STATE["connections"]
        threading.Thread(target=start, args=(connection, context, number), daemon=True).start()


def start(connection, context, number):
    if context:
        try:
            connection = context.wrap_socket(connection, server_side=True)
        except (OSError, ssl.SSLError):
            return
    serve(connection, number)


def report(characters):
    return {"requests": [dict(request, body=request["body"][:characters]) for request in STATE["requests"]],
            "connections": STATE["connections"]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", nargs="+")
    tls = parser.parse_args().tls
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls[0], tls[1])
        if len(tls) > 2:
            context.load_verify_locations(tls[2])
            context.verify_mode = ssl.CERT_REQUIRED
            context.maximum_version = ssl.TLSVersion.TLSv1_2  # in 1.3 the alert gets lost in a reset
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, args=(listener, context), daemon=True).start()
    print("listening", listener.getsockname()[1], flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        with LOCK:
            if "script" in order:
                STATE["script"] = order["script"]
                STATE["requests"].clear()
            if "save" in order:
                with open(order["save"], "w", encoding="utf-8") as file:
                    json.dump(report(None), file)
            print(json.dumps(report(1000) if "report" in order else {}), flush=True)
    os._exit(0)


main()
