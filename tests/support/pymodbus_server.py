#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pymodbus as a peer: Modbus TCP or RTU over TCP, tables from a JSON file.

The file: {"1": {"holding": [words from address 0], "input": [...], "coil": [0/1], "discrete": [...]}, "2": ...},
one key a unit. Prints 'listening PORT' when it can be reached; ends with its standard input.
"""

import argparse
import asyncio
import json
import logging
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server.async_io import ModbusTcpServer
from pymodbus.transaction import ModbusRtuFramer, ModbusSocketFramer

FRAMERS = {"tcp": ModbusSocketFramer, "rtu+tcp": ModbusRtuFramer}
# pymodbus' names of the tables, in weir's words.
TABLES = {"hr": "holding", "ir": "input", "co": "coil", "di": "discrete"}


def make_unit(tables):
    blocks = {theirs: ModbusSequentialDataBlock(0, tables[ours]) for theirs, ours in TABLES.items() if tables.get(ours)}
    return ModbusSlaveContext(zero_mode=True, **blocks)


async def end_with_stdin():
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


async def serve(units, framer, port):
    context = ModbusServerContext(slaves={int(unit): make_unit(tables) for unit, tables in units.items()}, single=False)
    server = ModbusTcpServer(context, framer=framer, address=("127.0.0.1", port), ignore_missing_slaves=True)
    serving = asyncio.create_task(server.serve_forever())
    await server.serving
    print("listening", server.server.sockets[0].getsockname()[1], flush=True)
    await end_with_stdin()
    serving.cancel()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables")
    parser.add_argument("--framing", choices=FRAMERS, default="tcp")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    with open(options.tables, encoding="utf-8") as file:
        units = json.load(file)
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # it logs each client that leaves as an error
    asyncio.run(serve(units, FRAMERS[options.framing], options.port))


if __name__ == "__main__":
    main()
