# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The writer of the journal: append into mapped segments, commit in groups, rotate without waiting.

Owns the files while it holds the lock, and the helper thread that prepares segments ahead. Must
never know what a body means. Any failed write, sync or map is final: the file's state is unknown
then, and trying again would hide it.
"""

import os
import threading

from cpython.bytes cimport PyBytes_AS_STRING
from libc.errno cimport EDQUOT, EFBIG, EINTR, ENOSPC, errno
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy, memset
from posix.unistd cimport close, fdatasync, fsync, read, write

from titan_mesh.errors import TitanError

from titan_execution.core.journal_format cimport (
    CHAIN_BYTES, HEADER_ACCOUNT_AT, HEADER_CHAIN_AT, HEADER_CRC_FROM, HEADER_EPOCH_AT,
    HEADER_FIRST_LSN_AT, HEADER_ORDINAL_AT, HEADER_SIZE_AT, MARK_BYTES, MARK_LSN, MARK_NOT_LSN,
    MARK_ORDINAL, titan_chain, titan_crc32c, titan_crc_by_table, titan_crc_setup, titan_get,
    titan_get_int, titan_mark_magic, titan_segment_magic, titan_set, titan_set_int,
)
from titan_execution.core.journal_reader cimport segment_map, segment_unmap
from titan_execution.core.journal_reader import mark_of, recover
from titan_execution.core.limits cimport (
    ACCOUNT_MAX, RECORD_BODY_MAX, RECORD_HEADER_BYTES, SEGMENT_BYTES, SEGMENT_BYTES_MAX,
    SEGMENT_BYTES_MIN, SEGMENT_HEADER_BYTES, SEGMENT_WAIT_MS,
)


cdef extern from "<fcntl.h>" nogil:
    int openat(int directory_fd, const char *path, int flags, ...)
    int posix_fallocate(int fd, int64_t offset, int64_t size)
    int O_RDWR
    int O_CREAT
    int O_TRUNC
    int O_CLOEXEC


cdef extern from "<stdio.h>" nogil:
    int renameat(int from_fd, const char *old, int to_fd, const char *new)


cdef extern from "<sys/mman.h>" nogil:
    void *mmap(void *at, size_t size, int protection, int flags, int fd, int64_t offset)
    int munmap(void *at, size_t size)
    int PROT_READ
    int PROT_WRITE
    int MAP_SHARED
    int MAP_POPULATE
    void *MAP_FAILED


cdef extern from "<unistd.h>" nogil:
    ssize_t pwrite(int fd, const void *at, size_t size, int64_t offset)


cdef extern from "<sys/eventfd.h>" nogil:
    int eventfd(unsigned int initial, int flags)
    int EFD_CLOEXEC


cdef extern from "<poll.h>" nogil:
    struct pollfd:
        int fd
        short events
    int poll(pollfd *fds, unsigned long count, int timeout_ms)
    short POLLIN


cdef extern from "<sys/file.h>" nogil:
    int flock(int fd, int operation)
    int LOCK_EX
    int LOCK_NB


cdef enum:
    CHUNK_BYTES = 65536
    PAGE_BYTES = 4096

cdef uint8_t[CHUNK_BYTES] ZEROS
memset(ZEROS, 0, CHUNK_BYTES)
titan_crc_setup()

DURABILITIES = {"process": DURABILITY_PROCESS, "power": DURABILITY_POWER}


cdef int _fail(JournalState *journal, int code, int error_number) noexcept nogil:
    journal.failed = code
    journal.error_number = error_number
    return code


cdef inline int _code_of(int error_number) noexcept nogil:
    if error_number == ENOSPC or error_number == EDQUOT or error_number == EFBIG:
        return JOURNAL_NO_SPACE
    return JOURNAL_IO


cdef int64_t journal_append(JournalState *journal, uint8_t kind, const uint8_t *body,
                            uint32_t size) noexcept nogil:
    cdef int64_t needed = RECORD_HEADER_BYTES + <int64_t>size
    cdef uint8_t *out
    cdef uint32_t crc
    cdef uint64_t lsn
    cdef int code
    if journal.failed:
        return journal.failed
    if size > RECORD_BODY_MAX:
        return JOURNAL_OVERSIZE
    if needed > journal.segment_bytes - SEGMENT_HEADER_BYTES:
        return JOURNAL_SMALL
    if journal.at + needed > journal.current.size:
        code = _rotate(journal)
        if code != JOURNAL_OK:
            return code
    lsn = journal.next_lsn
    out = journal.current.bytes + journal.at
    memcpy(out, &size, 4)
    memcpy(out + 8, &lsn, 8)
    memcpy(out + 16, &journal.epoch, 8)
    memcpy(out + 24, &journal.durable_lsn, 8)
    memcpy(out + 32, journal.chain, CHAIN_BYTES)
    out[48] = kind
    if size:
        memcpy(out + RECORD_HEADER_BYTES, body, size)
    crc = titan_crc32c(out, 4, out + 8, <size_t>(needed - 8))
    memcpy(out + 4, &crc, 4)
    titan_chain(out + 8, <size_t>(needed - 8), journal.chain)
    journal.at += needed
    journal.next_lsn = lsn + 1
    titan_set(&journal.written_lsn, lsn)
    return <int64_t>lsn


cdef int journal_commit(JournalState *journal) noexcept nogil:
    cdef uint64_t lsn = journal.next_lsn - 1
    if journal.failed:
        return journal.failed
    if lsn == journal.durable_lsn:
        return JOURNAL_OK
    if journal.durability == DURABILITY_POWER and fdatasync(journal.current.fd) != 0:
        return _fail(journal, _code_of(errno), errno)
    journal.durable_lsn = lsn
    journal.commits += 1
    titan_set(&journal.mark[MARK_LSN], lsn)
    titan_set(&journal.mark[MARK_NOT_LSN], ~lsn)
    return JOURNAL_OK


cdef uint64_t journal_committed_lsn(const JournalState *journal) noexcept nogil:
    return titan_get(&journal.mark[MARK_LSN])


cdef uint64_t journal_written_lsn(const JournalState *journal) noexcept nogil:
    return titan_get(&journal.written_lsn)


cdef uint64_t journal_last_ordinal(const JournalState *journal) noexcept nogil:
    return titan_get(&journal.mark[MARK_ORDINAL])


cdef void _header_write(JournalState *journal, uint8_t *out, uint64_t ordinal, int64_t size,
                        uint64_t first_lsn) noexcept nogil:
    cdef uint8_t header[SEGMENT_HEADER_BYTES]
    cdef uint32_t crc
    memset(header, 0, SEGMENT_HEADER_BYTES)
    memcpy(header, titan_segment_magic, 8)
    memcpy(&header[HEADER_SIZE_AT], &size, 8)
    memcpy(&header[HEADER_ORDINAL_AT], &ordinal, 8)
    memcpy(&header[HEADER_FIRST_LSN_AT], &first_lsn, 8)
    if first_lsn:
        memcpy(&header[HEADER_EPOCH_AT], &journal.epoch, 8)
        memcpy(&header[HEADER_CHAIN_AT], journal.chain, CHAIN_BYTES)
    header[HEADER_ACCOUNT_AT] = <uint8_t>journal.account_size
    memcpy(&header[HEADER_ACCOUNT_AT + 1], journal.account, <size_t>journal.account_size)
    crc = titan_crc32c(header, 8, &header[HEADER_CRC_FROM], SEGMENT_HEADER_BYTES - HEADER_CRC_FROM)
    memcpy(&header[8], &crc, 4)
    memcpy(out, header, SEGMENT_HEADER_BYTES)


cdef void _begin(JournalState *journal) noexcept nogil:
    """The current segment takes the next LSN as its first."""
    _header_write(journal, journal.current.bytes, journal.current.ordinal, journal.current.size,
                  journal.next_lsn)
    journal.at = SEGMENT_HEADER_BYTES
    titan_set(&journal.mark[MARK_ORDINAL], journal.current.ordinal)


cdef int _await_next(JournalState *journal) noexcept nogil:
    """Waits for the helper: only when the segment filled faster than the next one could be made."""
    cdef pollfd wait
    cdef uint64_t count
    cdef int polled
    cdef int ready = titan_get_int(&journal.next_ready)
    if ready == 0:
        journal.rotations_waited += 1
    while ready == 0:
        wait.fd = journal.ready_fd
        wait.events = POLLIN
        polled = poll(&wait, 1, SEGMENT_WAIT_MS)
        if polled < 0 and errno == EINTR:
            continue
        if polled <= 0:
            return _fail(journal, JOURNAL_NO_SPACE, errno if polled < 0 else 0)
        read(journal.ready_fd, &count, 8)
        ready = titan_get_int(&journal.next_ready)
    if ready < 0:
        return _fail(journal, _code_of(journal.next_errno), journal.next_errno)
    return JOURNAL_OK


cdef int _rotate(JournalState *journal) noexcept nogil:
    cdef uint64_t one = 1
    cdef int code
    if journal.durability == DURABILITY_POWER and fdatasync(journal.current.fd) != 0:
        return _fail(journal, _code_of(errno), errno)
    code = _await_next(journal)
    if code != JOURNAL_OK:
        return code
    journal.retired = journal.current
    journal.current = journal.next
    journal.next.bytes = NULL
    journal.next.fd = -1
    titan_set_int(&journal.next_ready, 0)
    _begin(journal)
    journal.rotations += 1
    write(journal.wanted_fd, &one, 8)
    return JOURNAL_OK


cdef int _fill(int fd, int64_t size) noexcept nogil:
    """Every block allocated and written, so that a store into the map can meet no full disk."""
    cdef int64_t at = 0
    cdef ssize_t done
    cdef int code = posix_fallocate(fd, 0, size)
    if code != 0:
        return code
    while at < size:
        done = pwrite(fd, ZEROS, <size_t>min(<int64_t>CHUNK_BYTES, size - at), at)
        if done < 0 and errno == EINTR:
            continue
        if done <= 0:
            return errno
        at += done
    return 0


cdef int _prepare(JournalState *journal, uint64_t ordinal, Segment *out) noexcept nogil:
    """A whole new segment, on disk under its name and mapped; 0 or errno."""
    cdef uint8_t header[SEGMENT_HEADER_BYTES]
    cdef char name[32]
    cdef void *at
    cdef int fd, code
    out.bytes = NULL
    out.fd = -1
    fd = openat(journal.directory_fd, b"prepared.tmp", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    if fd < 0:
        return errno
    code = _fill(fd, journal.segment_bytes)
    if code == 0:
        _header_write(journal, header, ordinal, journal.segment_bytes, 0)
        snprintf(name, 32, "%08llu.seg", <unsigned long long>ordinal)
        if pwrite(fd, header, SEGMENT_HEADER_BYTES, 0) != SEGMENT_HEADER_BYTES:
            code = errno
        elif fsync(fd) != 0:
            code = errno
        elif renameat(journal.directory_fd, b"prepared.tmp", journal.directory_fd, name) != 0:
            code = errno
        elif fsync(journal.directory_fd) != 0:
            code = errno
    if code != 0:
        close(fd)
        return code
    at = mmap(NULL, <size_t>journal.segment_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
              fd, 0)
    if at == MAP_FAILED:
        code = errno
        close(fd)
        return code
    out.bytes = <uint8_t *>at
    out.size = journal.segment_bytes
    out.ordinal = ordinal
    out.fd = fd
    return 0


cdef void _warm(JournalState *journal, Segment *segment, int64_t used) noexcept nogil:
    """Takes the fault of each page's first store now. A power journal's syncs would undo it."""
    cdef int64_t at = (used + PAGE_BYTES - 1) // PAGE_BYTES * PAGE_BYTES
    if journal.durability == DURABILITY_PROCESS:
        while at < segment.size:
            segment.bytes[at] = 0
            at += PAGE_BYTES


cdef void _helper_loop(JournalState *journal) noexcept nogil:
    """Prepares one segment per wake-up, and lets the full one go."""
    cdef uint64_t count, one = 1
    while True:
        if read(journal.wanted_fd, &count, 8) < 0 and errno != EINTR:
            return
        if titan_get_int(&journal.stopping):
            return
        if journal.retired.bytes != NULL:
            fdatasync(journal.retired.fd)
            segment_unmap(&journal.retired)
        journal.next_errno = _prepare(journal, journal.current.ordinal + 1, &journal.next)
        if journal.next_errno == 0:
            _warm(journal, &journal.next, SEGMENT_HEADER_BYTES)
        titan_set_int(&journal.next_ready, 1 if journal.next_errno == 0 else -1)
        write(journal.ready_fd, &one, 8)


def _serve(Journal journal):
    with nogil:
        _helper_loop(&journal.state)


cdef class Journal:
    """One account's journal, held open by its only writer."""

    def __cinit__(self):
        memset(&self.state, 0, sizeof(JournalState))
        self.state.directory_fd = self.state.mark_fd = -1
        self.state.wanted_fd = self.state.ready_fd = -1
        self.state.current.fd = self.state.next.fd = self.state.retired.fd = -1

    def __init__(self, path, str account, *, int64_t segment_bytes=SEGMENT_BYTES, str durability="process"):
        cdef uint64_t one = 1
        _check(account, segment_bytes, durability)
        self._path = os.fspath(path)
        name = account.encode("ascii")
        self.state.account_size = <int32_t>len(name)
        memcpy(self.state.account, <const char *>name, <size_t>len(name))
        self.state.segment_bytes = segment_bytes
        self.state.durability = DURABILITIES[durability]
        try:
            self._lock()
            mark = self._map_mark()
            self.recovered = recover(self.state.directory_fd, name, mark)
            self._continue()
        except BaseException:
            self._release()
            raise
        self._open = True
        self._helper = threading.Thread(target=_serve, args=(self,), name="journal-segments", daemon=True)
        self._helper.start()
        write(self.state.wanted_fd, &one, 8)

    def _lock(self):
        os.makedirs(self._path, mode=0o700, exist_ok=True)
        self.state.directory_fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if flock(self.state.directory_fd, LOCK_EX | LOCK_NB) != 0:
            raise TitanError("INSTANCE_LOCK_HELD", "another Execution holds this journal", field="journal",
                             value=self._path, hint="stop it first, or give this one its own home")
        self.state.wanted_fd = eventfd(0, EFD_CLOEXEC)
        self.state.ready_fd = eventfd(0, EFD_CLOEXEC)
        if self.state.wanted_fd < 0 or self.state.ready_fd < 0:
            raise OSError(errno, "eventfd")

    def _map_mark(self):
        """Maps the mark, making it with the directory; returns the committed LSN."""
        cdef bytes first
        cdef void *at
        directory_fd = self.state.directory_fd
        names = os.listdir(directory_fd)
        if "prepared.tmp" in names:
            os.unlink("prepared.tmp", dir_fd=directory_fd)
        if "mark" not in names:
            if any(name.endswith(".seg") for name in names):
                raise TitanError("JOURNAL_CORRUPT", "the mark is missing beside segments", field="journal",
                                 value=self._path, hint="restore the whole directory from one copy")
            fd = os.open("mark.tmp", os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600,
                         dir_fd=directory_fd)
            first = (<const char *>titan_mark_magic)[:8] + bytes(64) + b"\xff" * 8
            os.write(fd, first + bytes(MARK_BYTES - len(first)))
            os.fsync(fd)
            os.close(fd)
            os.rename("mark.tmp", "mark", src_dir_fd=directory_fd, dst_dir_fd=directory_fd)
            os.fsync(directory_fd)
        self.state.mark_fd = os.open("mark", os.O_RDWR | os.O_CLOEXEC, dir_fd=directory_fd)
        head = os.pread(self.state.mark_fd, MARK_BYTES, 0)
        if len(head) != MARK_BYTES or head[:8] != (<const char *>titan_mark_magic)[:8]:
            raise TitanError("JOURNAL_CORRUPT", "the mark file does not hold", field="journal",
                             value=self._path, hint="restore the whole directory from one copy")
        at = mmap(NULL, MARK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                  self.state.mark_fd, 0)
        if at == MAP_FAILED:
            raise OSError(errno, "mmap of the journal's mark")
        self.state.mark = <uint64_t *>at
        return mark_of(head)

    def _continue(self):
        """Goes on behind the last good record, in a segment that is whole again."""
        cdef bytes chain = self.recovered.chain
        cdef int code
        self.state.next_lsn = self.recovered.last_lsn + 1
        self.state.written_lsn = self.recovered.last_lsn
        self.state.epoch = self.recovered.epoch
        memcpy(self.state.chain, PyBytes_AS_STRING(chain), CHAIN_BYTES)
        if self.recovered.ordinal == 0:
            code = _prepare(&self.state, 1, &self.state.current)
            if code != 0:
                self._raise(_code_of(code), code)
            _begin(&self.state)
        else:
            self._extend()
            code = segment_map(&self.state.current, self.state.directory_fd, self.recovered.ordinal, True)
            if code != JOURNAL_OK:
                self._raise(JOURNAL_IO, errno)
            self.state.at = self.recovered.at
            titan_set(&self.state.mark[MARK_ORDINAL], self.recovered.ordinal)
        if fdatasync(self.state.current.fd) != 0:
            self._raise(_code_of(errno), errno)
        _warm(&self.state, &self.state.current, self.state.at)
        # what was written is durable now, whether or not its commit was reached
        self.state.durable_lsn = self.recovered.last_lsn
        titan_set(&self.state.mark[MARK_LSN], self.state.durable_lsn)
        titan_set(&self.state.mark[MARK_NOT_LSN], ~self.state.durable_lsn)

    def _extend(self):
        """A segment that lost its end (a copy, a cut) gets its zeros back."""
        cdef int64_t wanted, size
        fd = os.open(f"{self.recovered.ordinal:08d}.seg", os.O_RDWR | os.O_CLOEXEC,
                     dir_fd=self.state.directory_fd)
        try:
            wanted = int.from_bytes(os.pread(fd, 8, HEADER_SIZE_AT), "little")
            size = os.fstat(fd).st_size
            while size < wanted:
                size += os.pwrite(fd, bytes(min(wanted - size, 1 << 20)), size)
            os.fsync(fd)
        finally:
            os.close(fd)

    def _raise(self, int code, int error_number):
        names = {JOURNAL_NO_SPACE: "JOURNAL_NO_SPACE", JOURNAL_OVERSIZE: "JOURNAL_OVERSIZE",
                 JOURNAL_SMALL: "JOURNAL_SMALL"}
        raise TitanError(names.get(code, "JOURNAL_IO"), "the journal cannot go on", field="journal",
                         value=self._path, limit=os.strerror(error_number) if error_number else "",
                         hint="free or replace the disk and start again; what was accepted is kept")

    def append(self, uint8_t kind, bytes body not None):
        """Appends one record and returns its LSN; nothing is promised before commit()."""
        self._check_open()
        cdef int64_t lsn
        if len(body) > RECORD_BODY_MAX:
            self._raise(JOURNAL_OVERSIZE, 0)
        lsn = journal_append(&self.state, kind, <const uint8_t *>PyBytes_AS_STRING(body),
                             <uint32_t>len(body))
        if lsn < 0:
            self._raise(<int>lsn, self.state.error_number)
        return lsn

    def commit(self):
        """Makes every appended record durable; returns the committed LSN."""
        self._check_open()
        cdef int code
        with nogil:
            code = journal_commit(&self.state)
        if code != JOURNAL_OK:
            self._raise(code, self.state.error_number)
        return self.state.durable_lsn

    def _check_open(self):
        if not self._open:
            raise ValueError("the journal is closed")

    @property
    def next_lsn(self):
        """LSN of the next record."""
        return self.state.next_lsn

    @property
    def epoch(self):
        """Epoch that records carry; a new owner raises it by one and says so in its first record."""
        return self.state.epoch

    @epoch.setter
    def epoch(self, uint64_t epoch):
        if epoch < self.state.epoch:
            raise TitanError("JOURNAL_EPOCH", "an epoch never goes back", field="epoch", value=epoch,
                             limit=self.state.epoch)
        self.state.epoch = epoch

    @property
    def committed_lsn(self):
        """LSN of the newest committed record."""
        self._check_open()
        return journal_committed_lsn(&self.state)

    @property
    def written_lsn(self):
        """LSN of the newest appended record."""
        return journal_written_lsn(&self.state)

    def counters(self):
        """Commits, rotations, and rotations that had to wait for a segment."""
        return {"commits": self.state.commits, "rotations": self.state.rotations,
                "rotations_waited": self.state.rotations_waited}

    def close(self):
        """Stops the helper, syncs, unlocks; harmless twice. Appended but uncommitted records stay written."""
        cdef uint64_t one = 1
        if not self._open:
            return
        self._open = False
        titan_set_int(&self.state.stopping, 1)
        write(self.state.wanted_fd, &one, 8)
        self._helper.join()
        synced = self.state.failed or fdatasync(self.state.current.fd) == 0
        error_number = errno
        self._release()
        if not synced:
            self._raise(JOURNAL_IO, error_number)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def __dealloc__(self):
        self._release()

    cdef _release(self):
        segment_unmap(&self.state.current)
        segment_unmap(&self.state.next)
        segment_unmap(&self.state.retired)
        if self.state.mark != NULL:
            munmap(self.state.mark, MARK_BYTES)
            self.state.mark = NULL
        for fd in (self.state.mark_fd, self.state.wanted_fd, self.state.ready_fd, self.state.directory_fd):
            if fd >= 0:
                close(fd)
        self.state.mark_fd = self.state.wanted_fd = self.state.ready_fd = self.state.directory_fd = -1


def _check(str account, int64_t segment_bytes, str durability):
    if not 1 <= len(account.encode()) <= ACCOUNT_MAX or not account.isascii():
        raise TitanError("ACCOUNT_INVALID", "an account has 1 to 24 ASCII characters", field="account",
                         value=account, limit=ACCOUNT_MAX)
    if not SEGMENT_BYTES_MIN <= segment_bytes <= SEGMENT_BYTES_MAX:
        raise TitanError("SEGMENT_BYTES", "a segment has 4096 to 2**30 bytes", field="segment_bytes",
                         value=segment_bytes, limit=SEGMENT_BYTES_MAX)
    if durability not in DURABILITIES:
        raise TitanError("DURABILITY", "durability is `process` or `power`", field="durability",
                         value=durability)


def crc32c(bytes data, bint by_table=False):
    """CRC-32C as the journal computes it: a window for tests."""
    cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(data)
    if by_table:
        return <uint32_t>~titan_crc_by_table(0xffffffff, at, <size_t>len(data))
    return titan_crc32c(at, <size_t>len(data), at, 0)
