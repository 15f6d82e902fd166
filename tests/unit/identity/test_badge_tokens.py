"""Badges: what is signed is read again, what is changed is forged, and a page belongs to a shop or does not."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from services.identity import badge_page, badge_tokens
from services.identity.badge_checks import check, forged, where
from services.identity.badge_tokens import Badge, Entity
from services.identity.shop_pages import page_of
from services.identity.signed_texts import ALGORITHM, Forged, new_signing_key

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SHOP = "https://north.example/shops/lamp"
KEY = new_signing_key()


def badge(**changes: object) -> Badge:
    whole = Badge(
        id=UUID(int=1),
        operator_id=UUID(int=2),
        account_id=UUID(int=3),
        platform_id="north",
        entity=Entity("Lamp <Trading> Ltd", "CN", "uscc", "91110000600037341L", "company"),
        shops=(SHOP,),
        issued_at=NOW,
        expires_at=NOW + timedelta(days=365),
    )
    return msgspec.structs.replace(whole, **changes)


class TestToken:
    def test_says_what_was_signed(self) -> None:
        assert badge_tokens.read(badge_tokens.signed(badge(), KEY), [KEY]) == badge()

    def test_holds_by_an_older_key(self) -> None:
        token = badge_tokens.signed(badge(), KEY)

        assert badge_tokens.read(token, [new_signing_key(), KEY]) == badge()

    def test_is_forged_when_a_word_of_it_is_changed(self) -> None:
        head, _, signature = badge_tokens.signed(badge(), KEY).split(".")
        _, other, _ = badge_tokens.signed(badge(platform_id="south"), new_signing_key()).split(".")

        with pytest.raises(Forged):
            badge_tokens.read(f"{head}.{other}.{signature}", [KEY])

    @pytest.mark.parametrize("token", ["", "x", "a.b.c", "ä.ö.ü", "e30.e30.", "." * 30_000])
    def test_of_nonsense_is_forged(self, token: str) -> None:
        with pytest.raises(Forged):
            badge_tokens.read(token, [KEY])

    def test_of_another_kind_signed_by_us_is_forged(self) -> None:
        token = jws.serialize_compact(
            {"typ": "at+jwt", "alg": ALGORITHM, "kid": KEY.kid},
            msgspec.json.encode(badge()),
            KEY,
            algorithms=[ALGORITHM],
        )

        with pytest.raises(Forged, match="something else"):
            badge_tokens.read(token, [KEY])

    def test_signed_by_somebody_else_in_our_name_is_forged(self) -> None:
        theirs = OKPKey.generate_key("Ed25519", {"kid": str(KEY.kid)})
        token = badge_tokens.signed(badge(), theirs)

        with pytest.raises(Forged):
            badge_tokens.read(token, [KEY])


class TestCheck:
    def test_tells_apart_what_became_of_it(self) -> None:
        later = NOW + timedelta(days=366)

        found = [
            check(badge(), revoked_at=None, page=SHOP, now=NOW).status,
            check(badge(), revoked_at=None, page=None, now=NOW).status,
            check(badge(), revoked_at=NOW, page=SHOP, now=NOW).status,
            check(badge(), revoked_at=None, page=SHOP, now=later).status,
            check(badge(), revoked_at=NOW, page=SHOP, now=later).status,
        ]

        assert found == ["valid", "valid", "revoked", "expired", "revoked"]

    @pytest.mark.parametrize(
        ("page", "status"),
        [
            (SHOP, "valid"),
            (f"{SHOP}/", "valid"),
            (f"{SHOP}/items/7?from=ad#top", "valid"),
            ("HTTPS://NORTH.example:443/shops/./lamp", "valid"),
            ("http://north.example/shops/lamp", "valid"),
            ("https://north.example./shops/lamp", "valid"),
            ("https://north.example/shops/lamp2", "wrong_shop"),
            ("https://north.example/shops", "wrong_shop"),
            ("https://north.example/shops/lamp/../else", "wrong_shop"),
            ("https://north.example:8443/shops/lamp", "cloned"),
            ("https://evil.example/shops/lamp", "cloned"),
            ("https://north.example.evil.example/shops/lamp", "cloned"),
            ("https://north.example@evil.example/shops/lamp", "cloned"),
            ("https://nörth.example/shops/lamp", "cloned"),
            ("javascript:alert(1)", "cloned"),
            ("", "cloned"),
        ],
    )
    def test_knows_the_shops_pages(self, page: str, status: str) -> None:
        assert where(page, [SHOP])[0] == status


class TestPage:
    @pytest.mark.parametrize("address", ["", "x", "ftp://a.example/", "https://", "mailto:a@b.example", "h" * 3_000])
    def test_is_none_of_what_is_none_on_the_web(self, address: str) -> None:
        assert page_of(address) is None

    def test_lies_under_its_fronts(self) -> None:
        page = page_of("https://a.example/x/y/")

        assert page is not None
        assert page.fronts() == ["a.example/x/y", "a.example/x", "a.example"]


class TestShown:
    def test_names_the_operator_and_escapes_what_it_says(self) -> None:
        shown = badge_page.page(check(badge(), revoked_at=None, page=SHOP, now=NOW))

        assert "有效" in shown
        assert "Lamp &lt;Trading&gt; Ltd" in shown
        assert "<Trading>" not in shown
        assert "<script" not in shown

    def test_says_nothing_of_an_operator_where_it_is_forged(self) -> None:
        shown = badge_page.page(forged("its signature does not hold"))

        assert "伪造" in shown
        assert "<dl>" not in shown

    def test_has_a_code_that_leads_to_it(self) -> None:
        assert badge_page.qr_code("https://check.example/public/badges/1").startswith("<svg")
