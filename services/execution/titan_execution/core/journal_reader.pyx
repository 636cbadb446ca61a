# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Reading a journal: the cursor, verification at start, the tail that the outbox follows.

Owns the rule of recovery: the first bad record is a torn tail if nothing, neither the mark nor any
later whole record, says that it was committed; else the journal is corrupt and nothing may start.
Must never write a record, nor know what a body means.
"""

import os
import re
from typing import NamedTuple

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport ENOENT, errno
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, memcpy, memset
from posix.unistd cimport close

from titan_mesh.errors import TitanError

from titan_execution.core.journal_format cimport (
    CHAIN_BYTES, HEADER_ACCOUNT_AT, HEADER_CHAIN_AT, HEADER_EPOCH_AT, HEADER_FIRST_LSN_AT,
    HEADER_ORDINAL_AT, HEADER_SIZE_AT, MARK_BYTES, MARK_LSN, MARK_NOT_LSN, MARK_ORDINAL,
    RecordHeader, header_holds, record_header, record_holds, titan_chain, titan_crc_setup,
    titan_get, titan_mark_magic, word_at,
)
from titan_execution.core.limits cimport RECORD_BODY_MAX, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES


cdef extern from "<fcntl.h>" nogil:
    int openat(int directory_fd, const char *path, int flags, ...)
    int O_RDONLY
    int O_RDWR
    int O_CLOEXEC


cdef extern from "<sys/mman.h>" nogil:
    void *mmap(void *at, size_t size, int protection, int flags, int fd, int64_t offset)
    int munmap(void *at, size_t size)
    int PROT_READ
    int PROT_WRITE
    int MAP_SHARED
    void *MAP_FAILED


cdef extern from "<unistd.h>" nogil:
    int64_t lseek(int fd, int64_t offset, int whence)
    int SEEK_END


SEGMENT_NAME = re.compile(r"[0-9]{8}\.seg")
titan_crc_setup()


class Recovered(NamedTuple):
    """What opening a journal found."""

    records: int
    last_lsn: int
    epoch: int
    chain: bytes
    segments: int
    ordinal: int                       # segment to go on in; 0 = none
    at: int                            # offset to go on at
    torn_bytes: int                    # cut behind the last good record
    torn_at: str                       # "segment:offset" of the cut; empty = none


cdef int segment_map(Segment *segment, int directory_fd, uint64_t ordinal, bint write) noexcept nogil:
    cdef char name[32]
    cdef void *at
    segment.bytes = NULL
    segment.ordinal = ordinal
    snprintf(name, 32, "%08llu.seg", <unsigned long long>ordinal)
    segment.fd = openat(directory_fd, name, (O_RDWR if write else O_RDONLY) | O_CLOEXEC)
    if segment.fd < 0:
        return JOURNAL_GONE if errno == ENOENT else JOURNAL_IO
    segment.size = lseek(segment.fd, 0, SEEK_END)
    if segment.size <= 0:
        segment.size = 0
        return JOURNAL_OK
    at = mmap(NULL, <size_t>segment.size, PROT_READ | (PROT_WRITE if write else 0), MAP_SHARED,
              segment.fd, 0)
    if at == MAP_FAILED:
        close(segment.fd)
        return JOURNAL_IO
    segment.bytes = <uint8_t *>at
    return JOURNAL_OK


cdef void segment_unmap(Segment *segment) noexcept nogil:
    if segment.bytes != NULL:
        munmap(segment.bytes, <size_t>segment.size)
        segment.bytes = NULL
    if segment.fd >= 0:
        close(segment.fd)
        segment.fd = -1


cdef bint _zeros(const uint8_t *at, int64_t size) noexcept nogil:
    cdef int64_t i
    for i in range(size):
        if at[i]:
            return False
    return True


cdef int segment_verify(const Segment *segment, Verification *v) noexcept nogil:
    cdef RecordHeader header
    cdef const uint8_t *at
    cdef int64_t room
    v.at = SEGMENT_HEADER_BYTES
    while True:
        at = segment.bytes + v.at
        room = segment.size - v.at
        if _zeros(at, min(room, <int64_t>RECORD_HEADER_BYTES)):
            return JOURNAL_OK
        if not record_holds(at, room, &header):
            v.why = b"its checksum does not hold"
            return JOURNAL_END
        if header.lsn != v.next_lsn:
            v.why = b"its LSN does not follow"
            return JOURNAL_CORRUPT
        if memcmp(at + 32, v.chain, CHAIN_BYTES) != 0:
            v.why = b"it does not continue the hash chain"
            return JOURNAL_CORRUPT
        if header.epoch < v.epoch:
            v.why = b"its epoch goes back"
            return JOURNAL_CORRUPT
        titan_chain(at + 8, RECORD_HEADER_BYTES - 8 + header.size, v.chain)
        v.epoch = header.epoch
        v.next_lsn += 1
        v.records += 1
        v.at += RECORD_HEADER_BYTES + <int64_t>header.size


cdef uint64_t segment_claims(const Segment *segment, int64_t start, int64_t *last) noexcept nogil:
    """Tries every offset: behind a damaged length nothing says where the next record begins."""
    cdef uint64_t highest = 0
    cdef RecordHeader header
    cdef int64_t at = start
    last[0] = start
    while at < segment.size:
        if at + 8 <= segment.size and word_at(segment.bytes + at) == 0:
            at += 1 if at + 16 <= segment.size and word_at(segment.bytes + at + 8) else 8
            continue
        if segment.bytes[at]:
            last[0] = at + 1
        if at + RECORD_HEADER_BYTES <= segment.size:
            record_header(segment.bytes + at, &header)
            if header.durable_lsn > highest and header.durable_lsn < header.lsn:
                if record_holds(segment.bytes + at, segment.size - at, &header):
                    highest = header.durable_lsn
        at += 1
    return highest


cdef int journal_cursor_open(JournalCursor *cursor, int directory_fd, uint64_t last_ordinal,
                             uint64_t from_lsn) noexcept nogil:
    cdef uint64_t ordinal = last_ordinal
    cdef uint64_t first_lsn
    cdef int code
    memset(cursor, 0, sizeof(JournalCursor))
    cursor.segment.fd = -1
    cursor.directory_fd = directory_fd
    while ordinal:
        code = segment_map(&cursor.segment, directory_fd, ordinal, False)
        if code != JOURNAL_OK:
            return code
        if cursor.segment.size >= SEGMENT_HEADER_BYTES:
            first_lsn = word_at(cursor.segment.bytes + HEADER_FIRST_LSN_AT)
            if first_lsn and first_lsn <= from_lsn:
                cursor.at = SEGMENT_HEADER_BYTES
                cursor.next_lsn = first_lsn
                return _skip_to(cursor, from_lsn)
        segment_unmap(&cursor.segment)
        ordinal -= 1
    return JOURNAL_GONE


cdef int _skip_to(JournalCursor *cursor, uint64_t from_lsn) noexcept nogil:
    """Walks over the lengths; stops early at the end of what is there."""
    cdef RecordHeader header
    while cursor.next_lsn < from_lsn and cursor.at + RECORD_HEADER_BYTES <= cursor.segment.size:
        record_header(cursor.segment.bytes + cursor.at, &header)
        if header.lsn != cursor.next_lsn:
            break
        cursor.at += RECORD_HEADER_BYTES + <int64_t>header.size
        cursor.next_lsn += 1
    return JOURNAL_OK


cdef int _next_segment(JournalCursor *cursor) noexcept nogil:
    """The committed mark says that there is more, and this segment ends: it is in the next one."""
    cdef uint64_t ordinal = cursor.segment.ordinal + 1
    cdef int code
    segment_unmap(&cursor.segment)
    code = segment_map(&cursor.segment, cursor.directory_fd, ordinal, False)
    if code != JOURNAL_OK:
        return code
    if not header_holds(cursor.segment.bytes, cursor.segment.size):
        return JOURNAL_CORRUPT
    if word_at(cursor.segment.bytes + HEADER_FIRST_LSN_AT) != cursor.next_lsn:
        return JOURNAL_CORRUPT
    cursor.at = SEGMENT_HEADER_BYTES
    return JOURNAL_OK


cdef int journal_next(JournalCursor *cursor, uint64_t up_to_lsn, JournalRecord *out) noexcept nogil:
    cdef RecordHeader header
    cdef const uint8_t *at
    cdef int64_t room
    cdef int code
    if cursor.next_lsn > up_to_lsn:
        return JOURNAL_END
    room = cursor.segment.size - cursor.at
    at = cursor.segment.bytes + cursor.at
    if _zeros(at, min(room, <int64_t>RECORD_HEADER_BYTES)):
        code = _next_segment(cursor)
        if code != JOURNAL_OK:
            return code
        room = cursor.segment.size - cursor.at
        at = cursor.segment.bytes + cursor.at
    if not record_holds(at, room, &header) or header.lsn != cursor.next_lsn:
        return JOURNAL_CORRUPT
    out.lsn = header.lsn
    out.epoch = header.epoch
    out.durable_lsn = header.durable_lsn
    out.kind = header.kind
    out.size = header.size
    out.body = at + RECORD_HEADER_BYTES
    cursor.at += RECORD_HEADER_BYTES + <int64_t>header.size
    cursor.next_lsn += 1
    return JOURNAL_OK


cdef void journal_cursor_close(JournalCursor *cursor) noexcept nogil:
    segment_unmap(&cursor.segment)


def mark_of(mark):
    """The committed LSN of a mapped mark file; of value and complement the higher one counts."""
    words = memoryview(mark).cast("Q")
    try:
        return max(words[MARK_LSN], words[MARK_NOT_LSN] ^ 0xffffffffffffffff)
    finally:
        words.release()


def _corrupt(ordinal, at, lsn, why, mark):
    place = f"{ordinal:08d}.seg:{at}"
    return TitanError(
        "JOURNAL_CORRUPT", f"record {lsn} at {place}: {why}", field="journal", value=place,
        limit=f"committed LSN {mark}",
        hint="nothing was changed; restore the directory from a copy before starting again",
    )


def _ordinals(directory_fd):
    names = [name for name in os.listdir(directory_fd) if SEGMENT_NAME.fullmatch(name)]
    return sorted(int(name[:8]) for name in names)


cdef class _Recovery:
    """One pass over all segments; see recover()."""

    cdef int directory_fd
    cdef bytes account
    cdef uint64_t mark
    cdef Verification v
    cdef uint64_t good_ordinal
    cdef int64_t good_at
    cdef uint64_t bad_ordinal          # where the torn tail would begin; 0 = nowhere
    cdef int64_t bad_at
    cdef object bad_why

    def __init__(self, int directory_fd, bytes account, uint64_t mark):
        self.directory_fd = directory_fd
        self.account = account
        self.mark = mark
        self.v.next_lsn = 1

    cdef _corrupt(self, ordinal, at, why):
        return _corrupt(ordinal, at, self.v.next_lsn, why, self.mark)

    cdef _bad(self, uint64_t ordinal, int64_t at, why):
        self.bad_ordinal = ordinal
        self.bad_at = at
        self.bad_why = why

    cdef _header(self, const Segment *segment, bint first):
        """Takes over the first header, compares the others; True when the segment was begun."""
        cdef const uint8_t *at = segment.bytes
        cdef uint64_t first_lsn = word_at(at + HEADER_FIRST_LSN_AT)
        cdef bytes account = at[HEADER_ACCOUNT_AT + 1:HEADER_ACCOUNT_AT + 1 + at[HEADER_ACCOUNT_AT]]
        if account != self.account:
            raise TitanError("JOURNAL_ACCOUNT", "the journal belongs to another account",
                             field="account", value=self.account.decode(), limit=account.decode(),
                             hint="set mesh.account, or execution.journal")
        if word_at(at + HEADER_ORDINAL_AT) != segment.ordinal:
            raise self._corrupt(segment.ordinal, 0, "the header names another segment")
        if first_lsn == 0:
            return False
        if first:
            self.v.next_lsn = first_lsn
            self.v.epoch = word_at(at + HEADER_EPOCH_AT)
            memcpy(self.v.chain, at + HEADER_CHAIN_AT, CHAIN_BYTES)
        elif first_lsn != self.v.next_lsn:
            raise self._corrupt(self.good_ordinal, self.good_at,
                                f"segment {segment.ordinal:08d} goes on with record {first_lsn}")
        elif memcmp(at + HEADER_CHAIN_AT, self.v.chain, CHAIN_BYTES) != 0:
            raise self._corrupt(segment.ordinal, 0, "the header does not continue the hash chain")
        return True

    cdef _read(self, const Segment *segment, bint first):
        """One segment while everything before it was good."""
        cdef int code
        cdef int64_t last = 0
        cdef uint64_t claim
        if not header_holds(segment.bytes, segment.size):
            self._bad(segment.ordinal, 0, "the segment header does not hold")
            self.mark = max(self.mark, segment_claims(segment, 0, &last))
            return
        if not self._header(segment, first):
            if segment_claims(segment, SEGMENT_HEADER_BYTES, &last) or last > SEGMENT_HEADER_BYTES:
                self._bad(segment.ordinal, 0, "records in a segment that was never begun")
            return
        with nogil:
            code = segment_verify(segment, &self.v)
        if code == JOURNAL_CORRUPT:
            raise self._corrupt(segment.ordinal, self.v.at, self.v.why.decode())
        self.good_ordinal = segment.ordinal
        self.good_at = self.v.at
        with nogil:
            claim = segment_claims(segment, self.v.at, &last)
        self.mark = max(self.mark, claim)
        if code == JOURNAL_END or last > self.v.at:
            self._bad(segment.ordinal, self.v.at,
                      self.v.why.decode() if code == JOURNAL_END else "bytes behind the last record")

    cdef _read_behind(self, const Segment *segment):
        """A segment behind a bad place: what does it say was committed?"""
        cdef int64_t last = 0
        cdef uint64_t first_lsn = 0
        if header_holds(segment.bytes, segment.size):
            first_lsn = word_at(segment.bytes + HEADER_FIRST_LSN_AT)
        self.mark = max(self.mark, segment_claims(segment, 0, &last), first_lsn - 1 if first_lsn else 0)

    def run(self):
        cdef Segment segment
        ordinals = _ordinals(self.directory_fd)
        for i, ordinal in enumerate(ordinals):
            if i and ordinal != ordinals[i - 1] + 1:
                raise self._corrupt(ordinal, 0, f"segment {ordinals[i - 1] + 1:08d} is missing")
            if segment_map(&segment, self.directory_fd, ordinal, False) != JOURNAL_OK:
                raise TitanError("JOURNAL_IO", "cannot read a segment", field="journal",
                                 value=f"{ordinal:08d}.seg", limit=os.strerror(errno),
                                 hint="check the disk and the rights of the directory")
            try:
                if self.bad_ordinal:
                    self._read_behind(&segment)
                else:
                    self._read(&segment, not self.v.records and i == 0)
            finally:
                segment_unmap(&segment)
        if self.v.next_lsn <= self.mark:
            raise self._corrupt(self.bad_ordinal or self.good_ordinal,
                                self.bad_at if self.bad_ordinal else self.good_at,
                                self.bad_why or "the journal ends before it")
        torn = self._cut(ordinals)
        return Recovered(
            records=self.v.records, last_lsn=self.v.next_lsn - 1, epoch=self.v.epoch,
            chain=(<const char *>self.v.chain)[:CHAIN_BYTES], segments=len(ordinals),
            ordinal=self.good_ordinal, at=self.good_at, torn_bytes=torn,
            torn_at=f"{self.bad_ordinal:08d}.seg:{self.bad_at}" if torn else "",
        )

    cdef _cut(self, ordinals):
        """Zeroes what nobody was promised and drops segments behind the last good one."""
        cdef Segment segment
        cdef int64_t last = 0
        cdef int64_t start
        cdef int64_t torn = 0
        for ordinal in ordinals:
            if ordinal < self.good_ordinal:
                continue
            if segment_map(&segment, self.directory_fd, ordinal, True) != JOURNAL_OK:
                raise TitanError("JOURNAL_IO", "cannot map a segment", field="journal",
                                 value=f"{ordinal:08d}.seg", limit=os.strerror(errno),
                                 hint="check the disk and the rights of the directory")
            try:
                start = self.good_at if ordinal == self.good_ordinal else SEGMENT_HEADER_BYTES
                segment_claims(&segment, start, &last)
                torn += max(0, last - start)
                if last > start and ordinal == self.good_ordinal:
                    memset(segment.bytes + start, 0, <size_t>(last - start))
                    os.fsync(segment.fd)
            finally:
                segment_unmap(&segment)
            if ordinal != self.good_ordinal:
                os.unlink(f"{ordinal:08d}.seg", dir_fd=self.directory_fd)
        os.fsync(self.directory_fd)
        return torn


def recover(int directory_fd, bytes account, uint64_t mark):
    """Verifies every record and cuts a torn tail; raises JOURNAL_CORRUPT and changes nothing otherwise."""
    return _Recovery(directory_fd, account, mark).run()


cdef class JournalTail:
    """Follows a journal up to its committed mark, from any thread or process."""

    cdef int directory_fd
    cdef const uint64_t *mark
    cdef JournalCursor cursor
    cdef bint at_cursor

    def __cinit__(self):
        self.directory_fd = -1
        self.mark = NULL
        self.cursor.segment.fd = -1

    def __init__(self, path):
        cdef void *at
        cdef int fd
        path = os.fspath(path)
        try:
            self.directory_fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fd = os.open("mark", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.directory_fd)
        except FileNotFoundError:
            raise TitanError("JOURNAL_MISSING", "there is no journal here", field="journal",
                             value=path, hint="Execution makes it when it first starts") from None
        at = mmap(NULL, MARK_BYTES, PROT_READ, MAP_SHARED, fd, 0)
        close(fd)
        if at == MAP_FAILED:
            raise TitanError("JOURNAL_IO", "cannot map the mark", field="journal", value=path,
                             limit=os.strerror(errno), hint="check the rights of the directory")
        self.mark = <const uint64_t *>at
        if memcmp(at, titan_mark_magic, 8) != 0:
            raise TitanError("JOURNAL_MISSING", "this is no journal's mark", field="journal", value=path)

    def __dealloc__(self):
        self.close()

    def close(self):
        """Lets go of the files; harmless twice."""
        journal_cursor_close(&self.cursor)
        self.at_cursor = False
        if self.mark != NULL:
            munmap(<void *>self.mark, MARK_BYTES)
            self.mark = NULL
        if self.directory_fd >= 0:
            close(self.directory_fd)
            self.directory_fd = -1

    @property
    def committed_lsn(self):
        """LSN of the newest record that may be read."""
        if self.mark == NULL:
            raise ValueError("the tail is closed")
        return titan_get(&self.mark[MARK_LSN])

    def read(self, uint64_t from_lsn, int max_records=1024, int64_t max_bytes=1 << 20):
        """Committed records from from_lsn on: [(lsn, epoch, kind, body)]; empty = nothing new."""
        cdef JournalRecord record
        cdef uint64_t committed = self.committed_lsn
        cdef int64_t total = 0
        cdef list out = []
        cdef int code = JOURNAL_OK
        if from_lsn < 1:
            raise ValueError("LSNs start at 1")
        if from_lsn > committed:
            return out
        if not self.at_cursor or self.cursor.next_lsn != from_lsn:
            code = self._seek(from_lsn)
        while code == JOURNAL_OK and len(out) < max_records and total < max_bytes:
            code = journal_next(&self.cursor, committed, &record)
            if code == JOURNAL_OK:
                out.append((record.lsn, record.epoch, record.kind,
                            PyBytes_FromStringAndSize(<const char *>record.body, record.size)))
                total += record.size
        if code < 0:
            self.at_cursor = False
            journal_cursor_close(&self.cursor)
            raise TitanError(
                {JOURNAL_GONE: "JOURNAL_GONE", JOURNAL_IO: "JOURNAL_IO"}.get(code, "JOURNAL_CORRUPT"),
                "a committed record cannot be read", field="lsn", value=from_lsn + len(out),
                limit=committed, hint="restore the missing or damaged segment from a copy",
            )
        return out

    cdef int _seek(self, uint64_t from_lsn):
        cdef int code
        journal_cursor_close(&self.cursor)
        code = journal_cursor_open(&self.cursor, self.directory_fd,
                                   titan_get(&self.mark[MARK_ORDINAL]), from_lsn)
        self.at_cursor = code == JOURNAL_OK
        if self.at_cursor and self.cursor.next_lsn != from_lsn:
            return JOURNAL_CORRUPT
        return code
