"""The order log on disk: every entry, one writer, a torn tail cut, damage refused."""

import pytest
from titan.venue.v1 import order_log_pb2
from titan_market.venue.limits import MAX_LOG_ENTRY_BYTES
from titan_market.venue.orderlog import OrderLog, encode_varint, read_entries
from titan_mesh.errors import TitanError


def entries(count: int) -> list[order_log_pb2.OrderLogEntry]:
    return [
        order_log_pb2.OrderLogEntry(
            sequence=n + 1, kind=order_log_pb2.ORDER_LOG_KIND_START, account="a" * (n % 300)
        )
        for n in range(count)
    ]


def written(path, count: int) -> bytes:
    log = OrderLog(path)
    for entry in entries(count):
        log.append(entry)
    log.flush()
    log.close()
    return path.read_bytes()


def test_what_was_flushed_is_read_back(tmp_path):
    path = tmp_path / "venue" / "orders.log"
    written(path, 400)
    log = OrderLog(path)
    assert log.recover() == entries(400)
    assert log.torn_bytes == 0
    log.close()


def test_nothing_reaches_the_file_before_flush(tmp_path):
    log = OrderLog(tmp_path / "orders.log")
    log.append(entries(1)[0])
    assert log.path.stat().st_size == 0
    log.flush()
    assert log.path.stat().st_size > 0
    log.close()


@pytest.mark.parametrize("cut", [1, 2, 60])
def test_a_torn_last_entry_is_cut_off_and_the_log_goes_on(tmp_path, cut):
    path = tmp_path / "orders.log"
    data = written(path, 100)
    path.write_bytes(data[:-cut])
    log = OrderLog(path)
    assert log.recover() == entries(99)
    assert log.torn_bytes > 0
    log.append(entries(100)[99])
    log.flush()
    log.close()
    assert path.read_bytes() == data


@pytest.mark.parametrize(
    "damage",
    [
        b"\x00",
        b"\xff\xff\xff\x7f" + b"x" * 10,
        b"\x03\xff\xff\xff",
        encode_varint(MAX_LOG_ENTRY_BYTES + 1) + b"x" * 9,
    ],
)
def test_damage_is_refused(tmp_path, damage):
    path = tmp_path / "orders.log"
    path.write_bytes(written(path, 3) + damage)
    log = OrderLog(path)
    with pytest.raises(TitanError) as fault:
        log.recover()
    assert fault.value.code == "ORDER_LOG_CORRUPT"
    log.close()


def test_one_venue_a_log(tmp_path):
    log = OrderLog(tmp_path / "orders.log")
    with pytest.raises(TitanError) as fault:
        OrderLog(tmp_path / "orders.log")
    assert fault.value.code == "ORDER_LOG_LOCKED"
    log.close()
    OrderLog(tmp_path / "orders.log").close()


def test_varints_match_protobuf():
    for length in (0, 1, 127, 128, 300, 16_383, 16_384, 65_536):
        assert (
            encode_varint(length)
            == order_log_pb2.OrderLogEntry(sequence=length).SerializeToString()[1:]
            or length == 0
        )
    assert encode_varint(0) == b"\x00"
    assert list(read_entries(b"")) == []
