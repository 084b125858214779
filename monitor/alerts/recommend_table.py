"""The table of what helps against what: rows of words, kinds and categories, and steps. Data only; see `recommend`.

Specific rows stand above general ones. Words are matched in lower case, with spaces where names have joints:
`StripeAPIError` is "stripe api error". A `<name>` never stands within quotes: it brings its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from monitor.model import Category, Kind


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, and the command for it where there is one."""

    text: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What it fits, and what to do then. `words` is a regular expression; `only` restricts it to these categories."""

    steps: tuple[Step, ...]
    words: str = ""
    kinds: tuple[Kind, ...] = ()
    categories: tuple[Category, ...] = ()
    only: tuple[Category, ...] = ()

    def speaks_of(self, text: str) -> bool:
        return bool(self.words) and re.search(self.words, text) is not None

    def may_be(self, category: Category) -> bool:
        return not self.only or category in self.only


_PSQL = 'psql "$DATABASE_URL" -c'
# For what comes from outside: it can only read, whatever it says.
_READING = f"PGOPTIONS='-c default_transaction_read_only=on' {_PSQL}"
_BUSY = (
    "'SELECT pid, state, pg_blocking_pids(pid) AS blocked_by, now() - query_start AS runs, left(query, 80) "
    "FROM pg_stat_activity WHERE state <> $$idle$$ ORDER BY runs DESC LIMIT 15'"
)
_IDLE = (
    "'SELECT pid, usename, now() - state_change AS idle, left(query, 60) FROM pg_stat_activity "
    "WHERE state = $$idle in transaction$$ ORDER BY idle DESC LIMIT 10'"
)
_HOLDERS = (
    "'SELECT usename, application_name, client_addr, state, count(*) FROM pg_stat_activity "
    "GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC LIMIT 15'"
)
_STATEMENTS = (
    "'SELECT calls, round(mean_exec_time) AS mean_ms, left(query, 80) FROM pg_stat_statements "
    "ORDER BY total_exec_time DESC LIMIT 10'"
)
_LOGINS = "'SELECT rolname, rolcanlogin, rolvaliduntil FROM pg_roles'"
_PHASES = "dns %{time_namelookup} connect %{time_connect} first-byte %{time_starttransfer} total %{time_total}\\n"
_TIMES = Step("See which phase of an answer takes the time", f"curl -sS -m 30 -o /dev/null -w '{_PHASES}' <url>")
_DEPLOYED = Step("See in its repository what was deployed shortly before", "git log --since '2 days ago' --oneline")
_MACHINE = Step("See whether <machine> is short of processor, memory or disk", "uptime; free -h; df -h; vmstat 1 5")
_UNIT = Step("See whether its service runs, and its last lines", "systemctl status --no-pager -n 30 -- <unit>")
_ANSWERS = Step("Ask it by hand", "curl -sS -m 10 -i <url>")
_RETRY = Step(
    "Retry only what may succeed later (network errors, 429, 5xx), with growing pauses and an idempotency key"
)
_BREAKER = Step("Put a circuit breaker before it, so that callers fail at once instead of waiting, too")
_BUSIEST = Step("Look into what uses most, <busiest>", "htop -p <pid>")

TABLE: tuple[Row, ...] = (
    Row(
        words=r"\bslow (?:database )?quer|\bseq(?:uential)? scan|\blong running quer|\bquer(?:y|ies) (?:took|time)",
        steps=(
            Step(
                "See the plan of the query, with values in place of its parameters; it is not run",
                f"{_READING} <explain>",
            ),
            Step("It reads <rows-scanned> of <scanned>: add an index", f"{_PSQL} <create-index>"),
            Step("It reads <rows-scanned> of <unindexed>: add an index on the columns that it filters by"),
            Step("See which queries take the most time, and how often they come", f"{_PSQL} {_STATEMENTS}"),
            Step("See what runs now and what waits for it", f"{_PSQL} {_BUSY}"),
        ),
    ),
    Row(
        words=r"\bdead ?lock|\block(?:s|ed)?\b|\block (?:wait|timeout)",
        only=(Category.DATABASE, Category.APPLICATION, Category.PERFORMANCE),
        steps=(
            Step("See who waits for whom (blocked_by)", f"{_PSQL} {_BUSY}"),
            Step(
                "See sessions that hold locks without working, and ask their owner before you end one",
                f"{_PSQL} {_IDLE}",
            ),
        ),
    ),
    Row(
        words=r"\btoo many (?:connections|clients)|\bconnection pool|\bqueue pool|\bpool (?:exhausted|timeout|limit)"
        r"|\bpool is full|\bconnection (?:slots|limit)|\bmax connections|\b(?:db|database) connections",
        steps=(
            Step("See who holds the connections", f"{_PSQL} {_HOLDERS}"),
            Step("See the limit", f"{_PSQL} 'SHOW max_connections'"),
            Step(
                "See sessions that never commit: they come from an application that leaks connections",
                f"{_PSQL} {_IDLE}",
            ),
        ),
    ),
    Row(
        words=r"\bpassword authentication|\baccess denied|\bauthentication failed|\brole \S+ does not exist"
        r"|\bcredentials?\b",
        kinds=(Kind.AUTH,),
        only=(Category.DATABASE, Category.APPLICATION, Category.AVAILABILITY),
        steps=(
            Step("Log in by hand with the credentials that the application has", f"{_PSQL} 'SELECT 1'"),
            Step(
                "See who may log in and until when",
                f"{_PSQL} {_LOGINS}",
            ),
            Step("See whether the password was changed and the application was not restarted since"),
        ),
    ),
    Row(
        words=r"\bdatabase\b|\bpostgres(?:ql)?\b|\bmysql\b|\bmariadb\b|\bsql\b|\bsql ?alchemy\b",
        categories=(Category.DATABASE,),
        steps=(
            Step("See whether the database takes connections", 'pg_isready -t 5 -d "$DATABASE_URL"'),
            Step("Log in with the credentials of the application", f"{_PSQL} 'SELECT 1'"),
            Step("See what runs, and who waits for whose locks", f"{_PSQL} {_BUSY}"),
            Step("See who holds the connections", f"{_PSQL} {_HOLDERS}"),
        ),
    ),
    Row(
        words=r"\bdeclined\b|\binsufficient funds\b|\bexpired card\b",
        steps=(
            Step(
                "A declined card is not to be tried again: tell the customer why, and count it apart from real errors"
            ),
            Step("See whether far more are declined than usual: then it is the provider, or a test of stolen cards"),
        ),
    ),
    Row(
        words=r"\bstripe\b|\bpay ?pal\b|\bpayments?\b|\badyen\b|\bbraintree\b|\bcheckout\b",
        steps=(
            Step("See whether the payment provider is in trouble: its status page, such as https://status.stripe.com"),
            _RETRY,
            Step("See in the provider's dashboard what it answered to the failed calls, and whether a key was changed"),
        ),
    ),
    Row(
        words=r"\bthird party\b|\bexternal (?:api|service)|\bupstream\b|\bapi error|\brate limit|\bquota\b|\b429\b"
        r"|\btwilio\b|\bsend ?grid\b|\bhub ?spot\b|\bopen ?ai\b|\banthropic\b|\bclaude\b",
        steps=(
            Step("See the provider's status page, and whether the key is valid and its quota is not used up"),
            _ANSWERS,
            _RETRY,
            _BREAKER,
        ),
    ),
    Row(
        words=r"\btls\b|\bssl\b|\bcertificates?\b|\bx509\b|\bhandshake\b",
        kinds=(Kind.TLS,),
        steps=(
            Step(
                "See the certificate: until when, for which names, from whom",
                "openssl s_client -connect <host>:443 -servername <host> < /dev/null | "
                "openssl x509 -noout -dates -subject -issuer -ext subjectAltName",
            ),
            Step("On <machine>, see whether its renewal works", "certbot renew --dry-run"),
            Step("See whether the clocks are right: a wrong one makes good certificates invalid", "timedatectl"),
        ),
    ),
    Row(
        words=r"\bdns\b|\bname resolution\b|\bnxdomain\b|\bservfail\b|\bgetaddrinfo\b|\bname or service not known\b",
        kinds=(Kind.DNS,),
        steps=(
            Step("See what the name resolves to here, and elsewhere", "dig <host>; dig @1.1.1.1 <host>"),
            Step("See which resolver this machine asks", "resolvectl status; cat /etc/resolv.conf"),
            Step("See whether the domain has expired", "whois <host> | grep -i expir"),
        ),
    ),
    Row(
        words=r"\bbrute force\b|\b(?:failed|invalid) (?:log ?ins?|passwords?)\b|\blog ?in (?:attempts|failures)\b"
        r"|\bsuspicious\b|\bintrusion\b|\bunauthori[sz]ed\b",
        categories=(Category.SECURITY,),
        steps=(
            Step("See everything that came from <address>", "grep -F -- <address> <log-file> | tail -50"),
            Step(
                "See whether a log-in from <address> succeeded",
                "journalctl --since '24 hours ago' | grep -i accepted | grep -F -- <address>",
            ),
            Step("If <address> is none of yours, block it", "sudo ufw insert 1 deny from <address>"),
            Step("If one succeeded, end the sessions of <account> and have its password changed"),
            Step("See which addresses fail to log in, and who is in", "lastb -i -n 50; last -i -n 20"),
            Step("See whether failed log-ins are slowed down, and ask for a second factor", "fail2ban-client status"),
        ),
    ),
    Row(
        words=r"\bmemory leak|\bleak(?:s|ing|ed)?\b|\bheap\b|\bmemory (?:grows|growing|growth)",
        steps=(
            Step("See how fast <busiest> grows", "pidstat -r -p <pid> 60 10"),
            Step("See what a Python program keeps alive", "memray attach <pid>"),
            Step("Take a heap dump of a Java program", "jmap -dump:live,format=b,file=heap.hprof <pid>"),
            Step(
                "See who has the memory, again and again: the one that only grows leaks",
                "ps -eo pid,pmem,rss,etime,args --sort=-rss | head",
            ),
            _DEPLOYED,
            Step("Restart it before the memory is used up; that buys time, the leak stays"),
        ),
    ),
    Row(
        words=r"\bcpu\b|\bprocessors?\b|\bload average\b|^load(?: (?:average|avg|\d+ ?m?))*$",
        steps=(
            _BUSIEST,
            Step("On <machine>, see who uses the processors", "ps -eo pid,pcpu,etime,args --sort=-pcpu | head"),
            Step(
                "See whether it rises or falls (1, 5, 15 minutes), and whether it waits for disk", "uptime; vmstat 1 5"
            ),
            _DEPLOYED,
            Step("If it lasts longer than 30 minutes, restart the process at the top or add a machine"),
        ),
    ),
    Row(
        words=r"\bmemory\b|\boom\b|\bswap\b|\brss\b",
        steps=(
            _BUSIEST,
            Step("On <machine>, see who has the memory", "ps -eo pid,pmem,rss,etime,args --sort=-rss | head"),
            Step("See what is available and whether it swaps", "free -h; vmstat 1 5"),
            Step("See whether the kernel has killed something", "dmesg -T | grep -i -E 'out of memory|killed'"),
            Step("If one process only grows, it leaks: take a heap dump, then restart it"),
        ),
    ),
    Row(
        words=r"\binodes?\b",
        steps=(
            Step("On <machine>, see how many are used", "df -i -- <mount>"),
            Step(
                "Find the folders with the most files", "du --inodes -x --max-depth=3 -- <mount> | sort -n | tail -20"
            ),
        ),
    ),
    Row(
        words=r"\bdisk\b|\bno space\b|\bfile ?system\b|\bpartition\b|\bstorage\b",
        steps=(
            Step("On <machine>, see space and inodes", "df -h -- <mount>; df -i -- <mount>"),
            Step("Find the largest folders", "du -xh --max-depth=2 -- <mount> 2> /dev/null | sort -h | tail -20"),
            Step("Find files that are deleted and still held open", "lsof +L1 | sort -k7 -n | tail"),
            Step("Free what is safe to free", "journalctl --vacuum-time=7d; docker system df"),
        ),
    ),
    Row(
        words=r"\bqueues?\b|\bcelery\b|\bworkers\b|\bbacklog\b|\brabbit ?mq\b|\bkafka\b",
        steps=(
            Step(
                "See whether its workers run", "ps -eo pid,etime,pcpu,args | grep -i -E 'worker|celery' | grep -v grep"
            ),
            Step("See which queues grow and who reads them", "rabbitmqctl list_queues name messages consumers"),
            Step("If all workers are busy, add some; if they are idle, see what the first message waits for"),
        ),
    ),
    Row(
        words=r"\btimed? ?outs?\b|\bdeadline exceeded\b|\bcircuit breaker\b|\bdid not answer\b",
        kinds=(Kind.TIMEOUT, Kind.DEADLINE),
        steps=(
            _TIMES,
            Step("See whether packets get lost on the way", "mtr -rwc 10 <host>"),
            Step("Compare the time limit with what it usually takes (P95): raise the one or mend the other"),
            _BREAKER,
        ),
    ),
    Row(
        words=r"\bresponse times?\b|\blatency\b|\bslow\b|\bp9[0-9]\b|\bdegrad|\bthroughput\b",
        kinds=(Kind.SLOW,),
        categories=(Category.PERFORMANCE,),
        steps=(
            _TIMES,
            Step(
                "Find the slow operations: which queries of its database take the most time", f"{_PSQL} {_STATEMENTS}"
            ),
            _DEPLOYED,
            Step("Profile it while it is slow", "py-spy top --pid <pid>"),
            Step(
                "Profile it while it is slow (a Python program; PID from ps)",
                "py-spy record -d 30 -o profile.svg --pid PID",
            ),
            _MACHINE,
        ),
    ),
    Row(
        categories=(Category.BUSINESS,),
        steps=(
            Step("Go the way of a customer yourself, from the first page to the confirmation"),
            Step("See whether that page answers, and how fast", f"curl -sS -m 30 -o /dev/null -w '{_PHASES}' <url>"),
            Step("Compare with the same hour a week ago: a holiday, the weather or the end of a campaign is no fault"),
            Step("See which alerts of payment, errors and response times are open; they come before this one"),
            _DEPLOYED,
            Step("See whether the counting itself broke: compare the figure with the rows in the database"),
        ),
    ),
    Row(
        kinds=(Kind.STATUS,),
        steps=(
            _ANSWERS,
            _UNIT,
            Step("It answers, so that its log says why it is not well", "journalctl -n 100 --no-pager -u <unit>"),
            Step("It answers, so that machine and port are well: read what it logged in these minutes"),
            Step("502, 503 and 504 come from the proxy before it, too: see whether what stands behind that one runs"),
            _DEPLOYED,
        ),
    ),
    Row(
        words=r"\b(?:is|service|goes|went) down\b|\bunavailable\b|\bunreachable\b|\bconnection refused\b"
        r"|\bhealth ?checks?\b|\bnot responding\b|\b50[234]\b",
        kinds=(Kind.CONNECT,),
        categories=(Category.AVAILABILITY,),
        steps=(
            _UNIT,
            Step("Read its log", "journalctl -n 100 --no-pager -u <unit>"),
            _ANSWERS,
            Step("On <machine>, see what listens on which port", "ss -ltnp"),
            Step("If it does not run and its log is clear, start it again", "sudo systemctl restart -- <unit>"),
            Step("See whether the machine is reached at all", "ping -c 3 <host>"),
        ),
    ),
    Row(
        categories=(Category.APPLICATION,),
        steps=(
            Step("Open the place that the stack trace ends at: <trace-end>"),
            Step("Try <endpoint> with the same input, and read the log of that request"),
            _DEPLOYED,
            Step(
                "See what <resource> logged before the first of them",
                "journalctl --since '1 hour ago' -n 100 --no-pager -u <unit>",
            ),
        ),
    ),
    Row(categories=(Category.SYSTEM,), steps=(_MACHINE, _DEPLOYED)),
)

DEFAULT = Row(
    steps=(
        Step("See what <machine> logged", "journalctl --since '1 hour ago' -p warning --no-pager | tail -50"),
        _MACHINE,
        _DEPLOYED,
    )
)
