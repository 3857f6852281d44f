#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""libweir from Python, by ctypes alone: collects for some seconds, then prints current values.

    ./collect.py weir.yaml 5          # LIBWEIR names the library if it is not found
"""

import ctypes
import os
import sys
import time


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("text", ctypes.c_char * 512)]


class Value(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_uint8), ("exponent", ctypes.c_int8), ("reserved", ctypes.c_uint16),
                ("length", ctypes.c_uint32), ("bits", ctypes.c_uint64)]


class Sample(ctypes.Structure):
    _fields_ = [("tag", ctypes.c_uint32), ("quality", ctypes.c_uint32), ("ts", ctypes.c_int64), ("value", Value)]


class CurrentSample(ctypes.Structure):
    _fields_ = [("sample", Sample), ("received", ctypes.c_int64), ("text", ctypes.c_char * 64)]


class TagInfo(ctypes.Structure):
    _fields_ = [("uid", ctypes.c_uint32), ("number", ctypes.c_uint32), ("name", ctypes.c_char_p),
                ("device", ctypes.c_char_p), ("point", ctypes.c_char_p), ("unit", ctypes.c_char_p)]  # and more


def library():
    weir = ctypes.CDLL(os.environ.get("LIBWEIR", "libweir.so.0"))
    for name, result, arguments in [
            ("weir_collector_new", ctypes.c_int, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]),
            ("weir_collector_load_file", ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]),
            ("weir_collector_start", ctypes.c_int, [ctypes.c_void_p, ctypes.c_void_p]),
            ("weir_collector_close", ctypes.c_int, [ctypes.c_void_p]),
            ("weir_collector_values", ctypes.c_int, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]),
            ("weir_values_count", ctypes.c_size_t, [ctypes.c_void_p]),
            ("weir_values_get", ctypes.c_bool, [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p]),
            ("weir_values_free", None, [ctypes.c_void_p]),
            ("weir_value_text", ctypes.c_size_t, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]),
            ("weir_quality_text", ctypes.c_size_t, [ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t])]:
        function = getattr(weir, name)
        function.restype, function.argtypes = result, arguments
    return weir


def check(err, error):
    if err:
        raise SystemExit(error.text.decode())


def show(weir, collector, error):
    values = ctypes.c_void_p()
    check(weir.weir_collector_values(collector, ctypes.byref(values), ctypes.byref(error)), error)
    current, info = CurrentSample(), ctypes.POINTER(TagInfo)()
    text, quality = ctypes.create_string_buffer(200), ctypes.create_string_buffer(80)
    for i in range(weir.weir_values_count(values)):
        if weir.weir_values_get(values, i, ctypes.byref(info), ctypes.byref(current)):
            weir.weir_value_text(ctypes.byref(current.sample.value), text, 200)
            weir.weir_quality_text(current.sample.quality, quality, 80)
            tag = info.contents
            print(f"{tag.name.decode()} = {text.value.decode()} {tag.unit.decode()} ({quality.value.decode()})")
    weir.weir_values_free(values)


def main():
    weir, error, collector = library(), Error(), ctypes.c_void_p()
    path, seconds = (sys.argv[1:] + ["weir.yaml", "5"][len(sys.argv) - 1:])[:2]
    check(weir.weir_collector_new(None, ctypes.byref(collector), ctypes.byref(error)), error)
    try:
        check(weir.weir_collector_load_file(collector, path.encode(), ctypes.byref(error)), error)
        check(weir.weir_collector_start(collector, ctypes.byref(error)), error)
        time.sleep(float(seconds))
        show(weir, collector, error)
    finally:
        weir.weir_collector_close(collector)


if __name__ == "__main__":
    main()
