from titan_execution.core.host import EngineHost
from titan_execution.core.journal import Journal
from titan_execution.core.mac import Keys
from titan_execution.core.ring import Ring

EXIT_STOPPED: int
EXIT_JOURNAL: int

class Loop:
    def __init__(
        self,
        host: EngineHost,
        journal: Journal,
        keys: Keys,
        control: Ring,
        output: Ring,
        listener: int,
        venue_path: bytes,
        spin_us: int = 0,
    ) -> None: ...
    def run(self, cpu: int = -1) -> int: ...
    def counters(self) -> dict[str, int]: ...
