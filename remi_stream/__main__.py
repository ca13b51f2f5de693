"""Entry point of `python -m remi_stream`; worker processes start without importing the command line."""

import sys


def _main() -> int:
    if sys.argv[1:2] == ["stage"]:
        if sys.argv[2:3] == ["--fork-server"]:
            from remi_stream.process.fork_server import serve_forks

            return serve_forks(sys.argv[3:])
        from remi_stream.process.worker import run_worker

        return run_worker(sys.argv[2:])
    from remi_stream.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(_main())
