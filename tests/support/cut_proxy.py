# SPDX-License-Identifier: MIT
"""Between a client and a server: counts who comes, keeps what the client says first, and cuts the connection instead of
passing on the answer that has certain bytes."""

import select
import socket
import threading

KEPT_BYTES = 20_000  # of what all clients said


class CutProxy:
    """needle: the bytes of the answer that is not passed on, once; on_cut() is called before the client sees the end."""

    def __init__(self, port):
        self.port_behind, self.needle, self.broken, self.on_cut = port, None, 0, None
        self.connections, self.said = 0, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        try:
            with client, socket.create_connection(("127.0.0.1", self.port_behind)) as behind:
                while self.pass_on(client, behind):
                    pass
        except OSError:
            pass  # one of the two is gone, and so is the other now

    def pass_on(self, client, behind):
        """False: the connection is over."""
        for side in select.select([client, behind], [], [])[0]:
            data = side.recv(65536)
            if side is behind and self.needle and self.needle in data:
                self.needle = None
                if self.on_cut:
                    self.on_cut()
                self.broken += 1
                return False
            if not data:
                return False
            if side is client:
                self.said = (self.said + data)[:KEPT_BYTES]
            (behind if side is client else client).sendall(data)
        return True

    def close(self):
        self.listener.close()
