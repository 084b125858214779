"""Which certificates of a chain count, how long they last, and why one was refused. Nothing is sent anywhere."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.probes.certificates import Judgement, explain_refusal, judge_chain, observed_of, read_chain
from tests.authorities import NOW, Authority, Identity, issue


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


def judge(*sent: Identity, warn_days: float | None = 21, crit_days: float | None = 7, **more: Any) -> Judgement:
    return judge_chain(read_chain([one.pem for one in sent]), warn_days, crit_days, NOW, **more)


def test_a_certificate_is_read_with_its_names_days_and_fingerprint(authority: Authority) -> None:
    (certificate,) = read_chain([authority.leaf.pem]).path
    assert (certificate.subject, certificate.issuer) == ("CN=localhost", "CN=Test Intermediate")
    assert certificate.names == ("localhost", "127.0.0.1")
    assert certificate.fingerprint == authority.leaf.fingerprint
    assert certificate.days_left(NOW) == 60
    assert certificate.lifetime_days == 90
    assert not certificate.is_self_signed
    assert issue("alone").certificate
    assert read_chain([issue("alone").pem]).path[0].is_self_signed


def test_enough_days_are_well_and_observed(authority: Authority) -> None:
    judged = judge(authority.leaf, authority.intermediate)
    assert (judged.findings, judged.warnings, judged.days_left) == ((), (), 60)
    assert judged.observed["cert_days"] == 60
    assert judged.observed["cert_names"] == "localhost, 127.0.0.1"
    assert "chain_ends_with" not in judged.observed


@pytest.mark.parametrize(
    ("days", "fails", "warns"), [(21.1, False, False), (20.9, False, True), (7.1, False, True), (6.9, True, False)]
)
def test_few_days_are_a_warning_and_fewer_a_finding(
    authority: Authority, days: float, fails: bool, warns: bool
) -> None:
    judged = judge(authority.intermediate.signed("l", (-60, days)), authority.intermediate)
    assert (bool(judged.findings), bool(judged.warnings)) == (fails, warns)


def test_the_finding_says_when_it_ends(authority: Authority) -> None:
    (soon,) = judge(authority.intermediate.signed("l", (-60, 2.5))).findings
    when = f"{NOW + timedelta(2.5):%Y-%m-%d %H:%M} UTC"
    assert str(soon) == f"the certificate expires in 2.5 days, on {when}, expected at least 7 days away"
    (over,) = judge(authority.intermediate.signed("l", (-60, -1)), is_verified=False).findings
    assert over.got.endswith(", 1 day ago")


def test_days_that_are_switched_off_are_not_judged(authority: Authority) -> None:
    old = authority.intermediate.signed("l", (-60, 1))
    assert judge(old, warn_days=None, crit_days=None)[:2] == ((), ())
    assert judge(old, crit_days=None).warnings


def test_the_whole_chain_counts_and_the_one_that_ends_first_is_named(authority: Authority) -> None:
    intermediate = authority.root.signed("Old Intermediate", (-900, 3), is_authority=True)
    judged = judge(intermediate.signed("l"), intermediate, ca_file=str(authority.ca_file))
    assert "CN=Old Intermediate in the chain" in str(judged.findings[0])
    assert judged.observed["cert_days"] == 3
    assert judged.observed["chain_ends_with"] == "CN=Old Intermediate"


def test_a_root_that_is_sent_does_not_count(authority: Authority) -> None:
    for days in ((-900, 2), (-900, -2)):
        root = issue("Ending Root", days=days, is_authority=True)
        intermediate = root.signed("i", is_authority=True)
        for is_verified in (True, False):
            assert judge(intermediate.signed("l"), intermediate, root, is_verified=is_verified)[:2] == ((), ())


def test_strays_do_not_count(authority: Authority) -> None:
    stray = authority.root.signed("Stray", (-900, -2), is_authority=True)
    for sent in ((authority.leaf, stray, authority.intermediate), (authority.leaf, authority.intermediate, stray)):
        assert judge(*sent, is_verified=False)[:2] == ((), ())


@pytest.mark.parametrize("ends_in", [-50, 3])
def test_a_cross_signed_root_that_we_trust_ourselves_does_not_count(authority: Authority, ends_in: float) -> None:
    bygone = issue("DST Root CA X3", days=(-9000, -60), is_authority=True)
    cross = bygone.signed("Test Root", (-2000, ends_in), is_authority=True, key=authority.root.key)
    sent = (authority.leaf, authority.intermediate, cross)
    assert judge(*sent, ca_file=str(authority.ca_file))[:2] == ((), ())
    # Who does not verify has no bundle to know better by.
    assert judge(*sent, is_verified=False).findings


def test_what_verification_went_past_does_not_count_without_a_bundle_either(authority: Authority) -> None:
    expired = authority.root.signed("Test Intermediate", (-900, -2), is_authority=True, key=authority.intermediate.key)
    assert judge(authority.leaf, expired)[:2] == ((), ())
    assert judge(authority.leaf, expired, ca_file="/no/such/file")[:2] == ((), ())


def test_of_two_intermediates_of_one_name_the_good_one_counts(authority: Authority) -> None:
    expired = authority.root.signed("Test Intermediate", (-900, -2), is_authority=True, key=authority.intermediate.key)
    for sent in ((expired, authority.intermediate), (authority.intermediate, expired)):
        assert judge(authority.leaf, *sent, is_verified=False)[:2] == ((), ())


def test_certificates_that_sign_each_other_in_a_circle_end_somewhere() -> None:
    one = issue("one", issue("two"), is_authority=True)
    two = issue("two", one, is_authority=True)
    chain = read_chain([one.pem, two.pem, one.pem, two.pem])
    assert 2 <= len(chain.path) <= 4


def test_default_limits_leave_short_lived_certificates_alone(authority: Authority) -> None:
    fresh = authority.intermediate.signed("six days", (-1, 5))
    assert judge(fresh, are_defaults=True)[:2] == ((), ())
    assert judge(fresh, are_defaults=False).findings
    due = authority.intermediate.signed("six days", (-5, 1))
    assert judge(due, are_defaults=True).warnings
    late = authority.intermediate.signed("six days", (-5.7, 0.3))
    assert judge(late, are_defaults=True).findings
    assert judge(authority.intermediate.signed("90 days", (-70, 20)), are_defaults=True).warnings


def test_an_issuer_anywhere_in_the_chain_is_found(authority: Authority) -> None:
    sent = (authority.leaf, authority.intermediate)
    assert not judge(*sent, issuer="test root").findings
    assert not judge(*sent, issuer="Intermediate").findings
    (wrong,) = judge(*sent, issuer="Let's Encrypt").findings
    assert str(wrong) == """certificate's issuer is 'CN=Test Intermediate', expected to contain "Let's Encrypt\""""


def test_a_pinned_certificate_must_be_it(authority: Authority) -> None:
    pins = (authority.root.fingerprint, authority.leaf.fingerprint)
    assert not judge(authority.leaf, fingerprints=pins).findings
    (wrong,) = judge(authority.leaf, fingerprints=pins[:1]).findings
    assert (wrong.expected, wrong.got) == pins


def test_a_certificate_that_was_not_seen_before_is_a_warning(authority: Authority) -> None:
    assert not judge(authority.leaf, fingerprints_before=()).warnings
    assert not judge(authority.leaf, fingerprints_before=(authority.leaf.fingerprint, "ff")).warnings
    (changed,) = judge(authority.leaf, fingerprints_before=("ee", "ff")).warnings
    assert str(changed) == f"certificate's SHA-256 is now {authority.leaf.fingerprint}, expected ff as before"


@pytest.mark.parametrize(
    "pems", [[], [b""], [b"junk"], [b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]]
)
def test_no_certificate_and_one_that_cannot_be_read_are_findings(pems: list[bytes]) -> None:
    chain = read_chain(pems)
    assert judge_chain(chain, None, None, NOW).findings
    assert explain_refusal(chain, "localhost", NOW) == ()
    assert observed_of(chain, NOW) == {}


def test_an_intermediate_that_cannot_be_read_is_left_out(authority: Authority) -> None:
    chain = read_chain([authority.leaf.pem, b"junk", authority.intermediate.pem])
    assert (chain.sent, len(chain.path)) == (3, 2)


def test_names_in_a_certificate_are_made_harmless_and_bounded() -> None:
    odd = issue("\x1b[31mred\x1b[0m", names=tuple(f"n{i}.example" for i in range(1000)))
    observed = judge(odd, is_verified=False).observed
    assert "\x1b" not in str(observed)
    assert str(observed["cert_names"]).endswith(" and 995 more")
    assert len(str(observed)) < 1500


@pytest.mark.parametrize(
    ("names", "host", "fits"),
    [
        (("shop.example",), "SHOP.example.", True),
        (("shop.example",), "www.shop.example", False),
        (("*.shop.example",), "www.shop.example", True),
        (("*.shop.example",), "a.www.shop.example", False),
        (("*.shop.example",), "shop.example", False),
        (("10.0.0.7",), "10.0.0.7", True),
        (("::1",), "0:0:0:0:0:0:0:1", True),
        (("10.0.0.7",), "10.0.0.8", False),
        (("xn--bcher-kva.example",), "bücher.example", True),
        ((), "shop.example", False),
        ((), "common.name", True),
    ],
)
def test_a_name_fits_as_in_a_browser(names: tuple[str, ...], host: str, fits: bool) -> None:
    assert read_chain([issue("common.name", names=names).pem]).path[0].is_for(host) is fits


def explained(host: str, *sent: Identity) -> str:
    return "; ".join(map(str, explain_refusal(read_chain([one.pem for one in sent]), host, NOW)))


def test_a_refusal_is_explained_by_what_is_wrong(authority: Authority) -> None:
    middle = authority.intermediate
    assert "the certificate expired 2 days ago, on 20" in explained("localhost", middle.signed("l", (-9, -2)), middle)
    assert "2 days ago" in explained("localhost", middle.signed("l", (-9, -2)), middle)
    assert "the certificate is not valid before 20" in explained("localhost", middle.signed("l", (2, 9)), middle)
    other = middle.signed("l", names=("a.example", "b.example"))
    assert explained("c.example", other) == "certificate's host is a.example, b.example, expected c.example"
    assert "self-signed (CN=alone)" in explained("localhost", issue("alone"))
    assert "CN=Test Intermediate, unknown here and not sent along" in explained("localhost", authority.leaf)
    old = authority.root.signed("Old", (-900, -2), is_authority=True)
    assert "CN=Old in the chain expired 2 days ago, on 20" in explained("localhost", old.signed("l"), old)


def test_a_bundle_that_is_replaced_is_read_again(authority: Authority, tmp_path: Path) -> None:
    bygone = issue("Bygone", days=(-9000, 3), is_authority=True)
    cross = bygone.signed("Test Root", (-2000, 3), is_authority=True, key=authority.root.key)
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(bygone.pem)
    sent = (authority.leaf, authority.intermediate, cross)
    assert judge(*sent, ca_file=str(bundle)).findings
    bundle.write_bytes(bygone.pem + authority.root.pem)
    assert not judge(*sent, ca_file=str(bundle)).findings
