"""One declaration, from its lodging to a notice in customs' line, through every service in one process."""

from shared.identifiers import operator_id
from tests.flows.conftest import Marketplace
from tests.services.identity.factories import USCC, operator_registered
from tests.services.platform_events import send
from tests.services.risk.declaring import inspected, lodged, post


class TestDeclaration:
    async def test_becomes_a_notice_to_customs_about_its_operator(self, marketplace: Marketplace) -> None:
        await send(marketplace.services["identity"], [operator_registered()])
        await marketplace.pump()

        assert await post(marketplace.services["risk"], lodged(), inspected()) == []
        await marketplace.pump()

        (delivery,) = (await marketplace.services["gateway"].get("/v1/deliveries")).json()["items"]
        assert (delivery["type"], delivery["state"]) == ("risk.declaration.channelled.v1", "pending")
        assert delivery["subject"] == str(operator_id("CN", "uscc", USCC))
        shown = (await marketplace.services["risk"].get("/v1/declarations/north/declaration-1")).json()
        assert shown["inspection"]["result"] == "violation"

    async def test_delivered_again_changes_nothing_anywhere(self, marketplace: Marketplace) -> None:
        declarations = [lodged(1), inspected(1), lodged(2), lodged(2, value_minor=5_000), inspected(3), lodged(3)]
        await post(marketplace.services["risk"], *declarations)
        brought = await marketplace.pump()
        before = await marketplace.holdings()

        again = await marketplace.redeliver()
        moved_on = await marketplace.pump()

        assert again == brought >= 8
        assert moved_on == 0
        assert await marketplace.holdings() == before
        assert before["risk.quarantine"] == []
