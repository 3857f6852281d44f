#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A proxy before a Modbus TCP device that knows frames and breaks them on order.

Standard input takes one JSON object a line and answers each with one on standard output:

    {"fault": "late", "delay": 0.5, "every": 7}   from now on, instead of the fault before it
    {"fault": "none"}                             good again
    {"report": true}                              what happened so far

Every fault takes `unit`, `function` (only requests of these), `from` and `to` (only requests that touch these
addresses), `every` (each n-th such request), `count` (so many times, then no more). The faults:

    late delay              the reply comes `delay` s later than it would; others overtake it
    foreign_id              another transaction id
    id_plus_one             the request's transaction id + 1
    duplicate               the reply twice
    slice gap               one byte a segment, `gap` s (0.02) apart
    coalesce                two replies meet: the first and half of the second in one segment, then the rest
    wrong_unit              unit id + 1
    wrong_function          function code 3 for 4 and so on
    byte_count_short        the byte count says 2 less than there is
    byte_count_long         the byte count says 2 more
    byte_count_cut          two bytes less than asked for, all lengths agreeing
    byte_count_beyond       two data bytes are missing, but the byte count stays
    mbap_length value       this in the length field of the header
    protocol_id             1 in the protocol field
    http_banner             an HTTP answer for a reply
    garbage                 three bytes before the reply
    exception code          exception `code` (2), the device is not asked
    drop                    the reply is swallowed
    close_after_reply       closed after the reply
    close                   closed instead of the reply
    blackhole               what is connected now is never read from nor written to again, but stays open
    refuse                  nobody listens, and what is connected is reset

Prints 'listening PORT' first; ends with its standard input.
"""

import argparse
import asyncio
import json
import socket
import struct
import sys

BANNER = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Frame:
    """One Modbus TCP frame."""

    def __init__(self, tid, unit, pdu, protocol=0, length=None):
        self.tid, self.unit, self.pdu, self.protocol, self.length = tid, unit, pdu, protocol, length

    def encode(self):
        length = len(self.pdu) + 1 if self.length is None else self.length
        return struct.pack(">HHHB", self.tid & 0xFFFF, self.protocol, length, self.unit & 0xFF) + self.pdu


async def read_frame(reader):
    tid, protocol, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
    return Frame(tid, unit, await reader.readexactly(length - 1), protocol)


class Fault:
    """What is wrong now, and for which requests."""

    def __init__(self, order):
        self.order = order
        self.name = order["fault"]
        self.seen = 0
        self.done = 0

    def hits(self, request):
        """Decides once per request, and counts."""
        order, pdu = self.order, request.pdu
        if self.name == "none" or order.get("unit", request.unit) != request.unit:
            return False
        if order.get("function", pdu[0]) != pdu[0]:
            return False
        if "from" in order and len(pdu) >= 5:
            address, n = struct.unpack(">HH", pdu[1:5])
            if address > order.get("to", order["from"]) or address + n <= order["from"]:
                return False
        self.seen += 1
        if self.seen % order.get("every", 1) != 0 or self.done >= order.get("count", self.done + 1):
            return False
        self.done += 1
        return True


def change_reply(name, order, reply):
    """The faults that are one changed frame."""
    pdu = bytearray(reply.pdu)
    if name == "foreign_id":
        reply.tid ^= 0x5555
    elif name == "id_plus_one":
        reply.tid += 1
    elif name == "wrong_unit":
        reply.unit += 1
    elif name == "wrong_function":
        pdu[0] = {1: 2, 2: 1, 3: 4, 4: 3}.get(pdu[0], pdu[0] ^ 1)
    elif name == "byte_count_short":
        pdu[1] -= 2
    elif name == "byte_count_long":
        pdu[1] += 2
    elif name == "byte_count_cut":
        pdu[1] -= 2
        pdu = pdu[:-2]
    elif name == "byte_count_beyond":
        pdu = pdu[:-2]
    elif name == "mbap_length":
        reply.length = order["value"]
    elif name == "protocol_id":
        reply.protocol = 1
    reply.pdu = bytes(pdu)
    return reply


class Client:
    """One connection of a master, and ours to the device behind it."""

    def __init__(self, proxy, reader, writer):
        self.proxy, self.reader, self.writer = proxy, reader, writer
        self.held = None  # coalesce: a reply that waits for the next
        self.is_dead = False
        self.tasks = set()

    async def run(self):
        up = None
        try:
            up_reader, up = await asyncio.open_connection("127.0.0.1", self.proxy.upstream)
            while True:
                request = await read_frame(self.reader)
                if self.is_dead:
                    continue
                self.proxy.counts["requests"] += 1
                fault = self.proxy.fault if self.proxy.fault.hits(request) else Fault({"fault": "none"})
                if fault.name != "none":
                    self.proxy.counts["faults"] += 1
                if fault.name == "exception":
                    code = fault.order.get("code", 2)
                    self.send(Frame(request.tid, request.unit, bytes([request.pdu[0] | 0x80, code])).encode())
                    continue
                up.write(request.encode())
                # One request at a time to the device: its replies need no matching then. A unit that
                # does not answer must not hold up the others.
                try:
                    reply = await asyncio.wait_for(read_frame(up_reader), self.proxy.silence)
                except asyncio.TimeoutError:
                    continue
                if not await self.pass_on(fault, reply):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.proxy.clients.discard(self)
            for task in self.tasks:
                task.cancel()
            for writer in (up, self.writer):
                if writer is not None:
                    writer.close()

    def send(self, data):
        if not self.is_dead:
            self.writer.write(data)

    def later(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def send_after(self, delay, data):
        await asyncio.sleep(delay)
        self.send(data)

    async def pass_on(self, fault, reply):
        """Sends the reply as the fault has it; False: the connection is to be closed."""
        name, order = fault.name, fault.order
        if name == "late":
            self.later(self.send_after(order.get("delay", 1.0), reply.encode()))
        elif name == "duplicate":
            self.send(reply.encode() * 2)
        elif name == "slice":
            for byte in reply.encode():
                self.send(bytes([byte]))
                await asyncio.sleep(order.get("gap", 0.02))
        elif name == "coalesce":
            await self.coalesce(reply.encode())
        elif name == "http_banner":
            self.send(BANNER)
        elif name == "garbage":
            self.send(b"\x00\xff\x00" + reply.encode())
        elif name == "drop":
            pass
        elif name == "close":
            return False
        elif name == "close_after_reply":
            self.send(reply.encode())
            await self.writer.drain()
            return False
        else:
            self.send(change_reply(name, order, reply).encode())
        return True

    async def coalesce(self, data):
        if self.held is None:
            self.held = data
            self.later(self.release(data))
            return
        half = len(data) // 2
        self.send(self.held + data[:half])
        self.held = None
        self.proxy.counts["coalesced"] += 1
        await asyncio.sleep(0.02)
        self.send(data[half:])

    async def release(self, data):
        """A master that asks one thing at a time sends no second request: let it go on."""
        await asyncio.sleep(0.1)
        if self.held is data:
            self.held = None
            self.send(data)

    def reset(self):
        """RST, not FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Proxy:
    def __init__(self, upstream, silence):
        self.upstream, self.silence = upstream, silence
        self.fault = Fault({"fault": "none"})
        self.clients = set()
        self.counts = {"connections": 0, "requests": 0, "faults": 0, "coalesced": 0}
        self.server = None
        self.port = 0

    async def listen(self):
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", self.port, backlog=1024)
        self.port = self.server.sockets[0].getsockname()[1]

    async def accept(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.counts["connections"] += 1
        client = Client(self, reader, writer)
        self.clients.add(client)
        await client.run()

    async def obey(self, order):
        if "report" in order:
            return dict(self.counts, open=len(self.clients))
        self.fault = Fault(order)
        if self.fault.name == "blackhole":
            for client in self.clients:
                client.is_dead = True
            self.fault = Fault({"fault": "none"})
        if self.fault.name == "refuse" and self.server is not None:
            self.server.close()
            self.server = None
            for client in list(self.clients):
                client.reset()
        elif self.fault.name != "refuse" and self.server is None:
            await self.listen()
        return {"ok": self.fault.name}

    async def run(self):
        await self.listen()
        print("listening", self.port, flush=True)
        stdin = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
        while line := await stdin.readline():
            print(json.dumps(await self.obey(json.loads(line))), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("upstream", type=int, help="port of the device on 127.0.0.1")
    parser.add_argument("--silence", type=float, default=0.2, help="give up waiting for the device after (s)")
    options = parser.parse_args()
    asyncio.run(Proxy(options.upstream, options.silence).run())


if __name__ == "__main__":
    main()
