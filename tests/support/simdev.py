#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A Modbus TCP device whose values prove themselves, and a ledger of all it has served.

Every four registers from a multiple of four hold [unit << 8 | table, address, tick, crc16 of these]; as one uint64
(ABCD) they are a value from which unit, table, address and tick can be read back, so that a mixed-up, torn, stale or
invented value shows by itself. The tick of a unit grows with each request it answers. Coils and discrete inputs show
bit (address + tick) & 1.

The ledger gets one line per request before the reply is sent: 'time_us unit table address count tick'.
Prints 'listening PORT'; ends with its standard input.
"""

import argparse
import asyncio
import struct
import sys
import time


def crc16(data):
    """The CRC of Modbus RTU; any other would do."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def make_value(unit, table, address, tick):
    """The uint64 at address, a multiple of four."""
    head = struct.pack(">HHH", unit << 8 | table, address, tick & 0xFFFF)
    return int.from_bytes(head + struct.pack(">H", crc16(head)), "big")


def read_value(value):
    """(unit, table, address, tick) of a value, None when it is not one of ours."""
    data = int(value).to_bytes(8, "big")
    if crc16(data[:6]) != int.from_bytes(data[6:], "big"):
        return None
    head, address, tick = struct.unpack(">HHH", data[:6])
    return head >> 8, head & 0xFF, address, tick


class Device:
    """Answers PDUs of a set of units."""

    def __init__(self, units, ledger=None):
        self.ticks = {unit: 0 for unit in units}
        self.ledger = ledger

    def answer(self, unit, pdu):
        """The reply's PDU; None when nobody answers."""
        if unit not in self.ticks:
            return None
        function = pdu[0]
        if function not in (1, 2, 3, 4) or len(pdu) != 5:
            return bytes([function | 0x80, 1])
        address, count = struct.unpack(">HH", pdu[1:])
        is_bits = function <= 2
        if not 1 <= count <= (2000 if is_bits else 125):
            return bytes([function | 0x80, 3])
        if address + count > 65536:
            return bytes([function | 0x80, 2])
        self.ticks[unit] += 1
        tick = self.ticks[unit]
        if self.ledger:
            self.ledger.write(f"{time.time_ns() // 1000} {unit} {function} {address} {count} {tick & 0xFFFF}\n")
            self.ledger.flush()
        data = bits(address, count, tick) if is_bits else words(unit, function, address, count, tick)
        return bytes([function, len(data)]) + data


def words(unit, table, address, count, tick):
    first = address & ~3
    last = (address + count + 3) & ~3
    data = b"".join(make_value(unit, table, a, tick).to_bytes(8, "big") for a in range(first, last, 4))
    return data[2 * (address - first):2 * (address - first + count)]


def bits(address, count, tick):
    number = sum(((address + i + tick) & 1) << i for i in range(count))
    return number.to_bytes((count + 7) // 8, "little")


def read_ledger(path):
    """[(time_us, unit, table, address, count, tick)]; a last line without its end is left out."""
    with open(path, encoding="ascii") as file:
        return [tuple(map(int, line.split())) for line in file if line.endswith("\n")]


async def serve_client(device, reader, writer):
    try:
        while True:
            header = await reader.readexactly(7)
            tid, protocol, length, unit = struct.unpack(">HHHB", header)
            if protocol != 0 or not 2 <= length <= 254:
                break
            pdu = device.answer(unit, await reader.readexactly(length - 1))
            if pdu is not None:
                writer.write(struct.pack(">HHHB", tid, 0, len(pdu) + 1, unit) + pdu)
                await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def serve(device, port):
    server = await asyncio.start_server(lambda r, w: serve_client(device, r, w), "127.0.0.1", port, backlog=1024)
    print("listening", server.sockets[0].getsockname()[1], flush=True)
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    await stdin.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--units", default="1-16", help="A-B; other units never answer")
    parser.add_argument("--ledger", help="file to append to")
    options = parser.parse_args()
    first, _, last = options.units.partition("-")
    ledger = open(options.ledger, "a", encoding="ascii") if options.ledger else None
    asyncio.run(serve(Device(range(int(first), int(last or first) + 1), ledger), options.port))


if __name__ == "__main__":
    main()
