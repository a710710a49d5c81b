#!/usr/bin/env python3
"""Reads a store on disc from Python, through the C ABI and nothing else (ctypes).

  build/dev/examples/firmware_lb /tmp/edge1 1000 0 2
  examples/lookup.py /tmp/edge1 198.51.0.7 7     # one connection, by its key
  examples/lookup.py /tmp/edge1                  # all of them

You will see one JSON object per row. MIMI_LIBRARY names libmimi.so.1 where it is not installed.
"""

import ctypes as c
import os
import select
import sys
import time

mimi = c.CDLL(os.environ.get("MIMI_LIBRARY", "libmimi.so.1"))
DEFINITION = b"""{"schema": {"lb_flow": {"name": "lb.flow", "key": {"client_ip": "ipv4",
  "client_port": "port"}, "value": {"backend_ip": "ipv4"}}}}"""  # what firmware_lb publishes


class Error(c.Structure):
    _fields_ = [("status", c.c_int32), ("message", c.c_char * 508)]


class Record(c.Structure):  # mimi_record
    _fields_ = [("size", c.c_size_t), ("row", c.c_void_p), ("row_size", c.c_size_t),
                ("key", c.c_void_p), ("key_size", c.c_size_t), ("origin", c.c_uint64),
                ("term", c.c_uint64), ("sequence", c.c_uint64), ("op", c.c_uint64)]


class SchemaInfo(c.Structure):  # mimi_schema_info
    _fields_ = [("size", c.c_size_t), ("name", c.c_char_p), ("table", c.c_uint64),
                ("fingerprint", c.c_uint64), ("key_size", c.c_size_t), ("row_size", c.c_size_t),
                ("field_count", c.c_size_t), ("version", c.c_uint64)]


DONE = c.CFUNCTYPE(None, c.c_void_p, c.c_int32, c.c_char_p)
FOUND = c.CFUNCTYPE(None, c.c_void_p, c.c_int32, c.c_char_p, c.POINTER(Record))


def call(name, *arguments):
    error = Error()
    if getattr(mimi, name)(*arguments, c.byref(error)) != 0:
        sys.exit(f"{name}: {error.message.decode()}")


def new(name, *arguments):
    handle = c.c_void_p()
    call(name, *arguments, c.byref(handle))
    return handle


def as_json(schema, row, size):
    text, length = c.create_string_buffer(65536), c.c_size_t()
    call("mimi_row_to_json", schema, c.c_void_p(row), c.c_size_t(size), text,
         c.c_size_t(len(text)), c.byref(length))
    return text.value.decode()


def wait(loop, answer):
    fd, give_up = c.c_int(), time.monotonic() + 20
    call("mimi_loop_poll_fd", loop, c.byref(fd))
    while not answer:
        if time.monotonic() > give_up:
            sys.exit("no answer in 20 s")
        select.select([fd.value], [], [], 0.1)
        call("mimi_loop_run_once", loop, None)
    return answer[0]


def main(path, *key):
    loop = new("mimi_loop_new")
    schema = new("mimi_schema_new_json", DEFINITION, c.c_size_t(len(DEFINITION)), b"lookup.py")
    info = SchemaInfo(size=c.sizeof(SchemaInfo))
    call("mimi_schema_get_info", schema, c.byref(info))
    store = new("mimi_store_new_file", loop, path.encode(), None)

    answer = []
    opened = DONE(lambda _, status, message: answer.append((status, message)))
    call("mimi_store_open", store, schema, opened, None)
    status, message = wait(loop, answer)
    if status != 0:
        sys.exit(message.decode())

    if key:
        row = c.create_string_buffer(info.row_size)
        for index, value in enumerate(key):
            call("mimi_row_set_text", schema, row, c.c_size_t(info.row_size), c.c_size_t(index),
                 value.encode())
        rows = []
        found = FOUND(lambda _, status, message, record: rows.append(
            as_json(schema, record.contents.row, record.contents.row_size) if record else None))
        call("mimi_store_lookup", store, c.c_uint64(info.table), row, c.c_size_t(info.key_size),
             found, None)
        text = wait(loop, rows)
        if text is None:
            sys.exit("no such row")
        print(text)
    else:
        cursor = new("mimi_store_snapshot", store, c.c_uint64(info.table), None, None)
        done, position, batch = c.c_int32(0), c.c_uint64(), c.c_void_p()
        while not done.value:
            call("mimi_cursor_next", cursor, c.byref(batch))
            record, index = Record(size=c.sizeof(Record)), 0
            while batch and mimi.mimi_batch_get_record(batch, c.c_size_t(index),
                                                       c.byref(record), None) == 0:
                print(as_json(schema, record.row, record.row_size))
                index += 1
            if not batch:
                call("mimi_loop_run_once", loop, None)
            call("mimi_cursor_position", cursor, c.byref(position), c.byref(done))
        call("mimi_cursor_close", cursor)
    call("mimi_store_close", store)
    call("mimi_schema_close", schema)
    call("mimi_loop_close", loop)


if __name__ == "__main__":
    main(*sys.argv[1:])
