"""A client that asks for all it can get and reads nothing: everything that reliability.md names, from one process.

The argument is the socket. Says what it does on standard output, a word a line, and holds all of it until its input ends.
"""

import json
import select
import socket
import sys

PATIENCE_S = 0.3


def connected():
    client = socket.socket(socket.AF_UNIX)
    client.connect(sys.argv[1])
    return client


def request(number, method, params):
    return (json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n").encode()


def push(client, data):
    """Writes until all is written, nobody takes any more, or the daemon hangs up; returns how much was taken."""
    client.setblocking(False)
    data, sent = memoryview(data), 0
    while sent < len(data):
        if not select.select([], [client], [], PATIENCE_S)[1]:
            break
        try:
            sent += client.send(data[sent : sent + (1 << 20)])
        except OSError:
            break
    return sent


def unread_answers():
    client = connected()
    push(client, b"".join(request(n, "rpc.discover", {}) for n in range(3000)))
    return [client]


def hanging_calls():
    clients = [connected() for _ in range(8)]
    for client in clients:
        push(client, b"".join(request(n, "contacts.add", {"user_id": f"nobody-{n}"}) for n in range(250)))
    return clients


def heavy_calls():
    """What waits for its turn behind the hanging calls, each as long as a line may be."""
    clients = [connected() for _ in range(3)]
    for client in clients:
        push(client, b"".join(request(n, "contacts.add", {"user_id": "n" * 1_000_000}) for n in range(16)))
    return clients


def endless_line():
    client = connected()
    taken = sum(push(client, b"x" * (1 << 20)) for _ in range(200))
    assert taken < 200 << 20, "the whole line was read"
    return [client]


def lines_that_are_no_text():
    client = connected()
    push(client, b"\xff\n" * 400_000)
    return [client]


def connections():
    refused = 0
    for _ in range(10_000):
        try:
            connected().close()
        except OSError:
            refused += 1
    assert refused < 10_000, "nobody listens"
    return []


def main():
    held = []
    for ask in (unread_answers, hanging_calls, heavy_calls, endless_line, lines_that_are_no_text, connections):
        held += ask()
        print(ask.__name__, flush=True)
    print("done", flush=True)
    sys.stdin.read()


main()
