"""A journal that cannot go on ends Execution at once: exit 70, no promise lost, and back again."""

from __future__ import annotations

import resource

from contract.reference import journal as journal_twin
from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.fastpath.v1 import frames_pb2 as frames
from titan_mesh.errors import TitanError

SEGMENT_BYTES = 65_536
EXIT_JOURNAL = 70


def test_a_full_disk_ends_execution_and_keeps_every_promise(make_edge):
    edge = make_edge(execution__segment_bytes=SEGMENT_BYTES)
    edge.mesh.start("nats", "venue")
    process = edge.mesh.spawn("execution")
    edge.open()
    # No file may grow: the next segment cannot be made, as on a full disk.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1024, 1024))
    promised = []
    try:
        with edge.fastpath() as session:
            while True:
                answer = session.submit(edge.intent())
                if isinstance(answer, frames.Accepted):
                    promised.append((answer.lsn, bytes(answer.intent_id)))
    except (TitanError, OSError):
        pass
    assert process.wait(10) == EXIT_JOURNAL
    assert "journal_failed" in edge.mesh.log_of("execution")
    assert len(promised) >= 20

    records = journal_twin.read(edge.mesh.home.root / "journal").records
    reports = {record.lsn: report_pb2.ExecutionReport.FromString(record.body) for record in records}
    for lsn, intent_id in promised:
        assert reports[lsn].kind == report_pb2.RECORD_KIND_CONFIRMED
        assert reports[lsn].intent_id == intent_id

    edge.mesh.kill("execution")
    edge.mesh.start("execution")
    assert edge.trade().confirmed_lsn > max(lsn for lsn, _ in promised)
