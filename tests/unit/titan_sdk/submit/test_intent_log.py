"""The intent log: what is on disk after each end, torn tails, rotation, the instance lock."""

import struct
from pathlib import Path

import pytest
from titan_mesh.errors import TitanError
from titan_sdk.submit.intent_log import IntentLog, LoggedIntent, Verdict


def intent(number: int, size: int = 40) -> LoggedIntent:
    return LoggedIntent(number.to_bytes(16, "big"), 1_000 + number, bytes([number % 251]) * size)


def reopen(log: IntentLog, path: Path) -> IntentLog:
    log.close()
    return IntentLog(path)


def test_only_intents_without_an_end_are_open_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "intents.log"
    log = IntentLog(path)
    log.append_intents([intent(number) for number in range(6)])
    log.append_outcome(intent(0).intent_id, Verdict.REFUSED, 0, "PRICE_COLLAR")
    log.append_outcome(intent(1).intent_id, Verdict.EXPIRED)
    log.append_outcome(intent(2).intent_id, Verdict.ACCEPTED, 17)
    log.append_outcome(intent(3).intent_id, Verdict.ACCEPTED, 18)
    log.append_closed(intent(3).intent_id)
    log.append_outcome(intent(4).intent_id, Verdict.ABANDONED)
    log = reopen(log, path)
    left = {item.logged: item.accepted for item in log.open.values()}
    assert left == {intent(2): True, intent(5): False}
    log.close()


@pytest.mark.parametrize("kept", [1, 7, 8, 20, 60])
def test_a_torn_last_record_is_cut_and_the_rest_survives(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "intents.log"
    log = IntentLog(path)
    log.append_intents([intent(1)])
    whole = path.stat().st_size
    log.append_intents([intent(2)])
    log.close()
    path.write_bytes(path.read_bytes()[: whole + kept])
    log = IntentLog(path)
    assert log.torn_bytes == kept
    assert [item.logged for item in log.open.values()] == [intent(1)]
    log.append_intents([intent(3)])
    log = reopen(log, path)
    assert [item.logged for item in log.open.values()] == [intent(1), intent(3)]
    log.close()


@pytest.mark.parametrize("kept", range(9))
def test_a_log_that_died_while_it_was_made_starts_anew(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "intents.log"
    path.write_bytes(b"TTNINT01"[:kept])
    log = IntentLog(path)
    log.append_intents([intent(1)])
    log = reopen(log, path)
    assert [item.logged for item in log.open.values()] == [intent(1)]
    log.close()


def test_damage_before_the_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "intents.log"
    log = IntentLog(path)
    log.append_intents([intent(1), intent(2)])
    log.close()
    data = bytearray(path.read_bytes())
    data[30] ^= 1
    path.write_bytes(data)
    with pytest.raises(TitanError) as caught:
        IntentLog(path)
    assert caught.value.code == "INTENT_LOG_CORRUPT"
    assert "byte 8" in caught.value.message
    path.write_bytes(b"not a log at all")
    with pytest.raises(TitanError) as caught:
        IntentLog(path)
    assert caught.value.code == "INTENT_LOG_CORRUPT"


def test_zeros_after_a_power_cut_are_a_torn_tail(tmp_path: Path) -> None:
    path = tmp_path / "intents.log"
    log = IntentLog(path)
    log.append_intents([intent(1)])
    log.close()
    with path.open("ab") as file:
        file.write(bytes(4096))
    log = IntentLog(path)
    assert log.torn_bytes == 4096
    assert len(log.open) == 1
    log.close()


def test_one_process_per_phase(tmp_path: Path) -> None:
    path = tmp_path / "intents.log"
    log = IntentLog(path)
    with pytest.raises(TitanError) as caught:
        IntentLog(path)
    assert caught.value.code == "INSTANCE_LOCK_HELD"
    reopen(log, path).close()


def test_a_full_log_is_rotated_with_its_open_intents(tmp_path: Path) -> None:
    path = tmp_path / "intents.log"
    log = IntentLog(path, capacity_bytes=4_096)
    for number in range(200):
        log.append_intents([intent(number)])
        if number >= 2:
            log.append_outcome(intent(number).intent_id, Verdict.REFUSED)
    log.append_outcome(intent(1).intent_id, Verdict.ACCEPTED, 5)
    assert path.stat().st_size < 2 * 4_096
    assert path.with_suffix(".old").stat().st_size >= 4_096
    log = reopen(log, path)
    left = {item.logged: item.accepted for item in log.open.values()}
    assert left == {intent(0): False, intent(1): True}
    log.close()


def test_a_record_says_what_the_format_says(tmp_path: Path) -> None:
    path = tmp_path / "intents.log"
    log = IntentLog(path)
    log.append_intents([intent(7, size=3)])
    log.close()
    data = path.read_bytes()
    assert data[:8] == b"TTNINT01"
    length, _ = struct.unpack_from("<II", data, 8)
    assert data[16:] == b"\x01" + intent(7).intent_id + struct.pack("<q", 1_007) + b"\x07" * 3
    assert length == len(data) - 16
