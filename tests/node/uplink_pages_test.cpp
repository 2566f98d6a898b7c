// SPDX-License-Identifier: Apache-2.0
#include "node/uplink_pages.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

#include "actors/link/limits.hpp"
#include "node/uplink.hpp"
#include "tests/node/node_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

struct pages_fixture : node_fixture {
  bool is_joined() {
    return state().uplink.where == uplink_state::link::joined;
  }
  /// The whole inventories that the coordinator got.
  auto inventories() const {
    return std::ranges::count_if(
      script->pages, [](const auto& page) { return page.whole && page.last; });
  }
  auto heard(const std::string& kind) const {
    return std::ranges::count_if(
      script->events, [&](const auto& event) { return event.kind == kind; });
  }
};

} // namespace

TEST_CASE_METHOD(pages_fixture, "pages are cut by what they hold",
                 "[node][uplink_pages][safety]") {
  script->can_be_dialed = false;
  start();
  for (auto i = 0; i < 12; ++i) {
    const auto id = sandbox_id{"box-" + std::to_string(i)};
    state().sandboxes[id].info = {.id = id,
                                  .host = state().settings.host,
                                  .note = std::string(100'000, 'n')};
  }
  script->can_be_dialed = true;
  w.advance(5s);
  REQUIRE(is_joined());
  CHECK(inventories() == 1);
  CHECK(script->pages.size() > 5);
  auto told = std::size_t{0};
  for (const auto& page : script->pages) {
    CHECK(schema::wire_size(page) < frame_payload_max);
    told += page.sandboxes.size();
  }
  CHECK(told >= 12);
}

TEST_CASE_METHOD(pages_fixture,
                 "what is too big to be told is cut, and keeps no node out",
                 "[node][uplink_pages][safety]") {
  start();
  auto info = sandbox_info{.id = {"big"},
                           .host = state().settings.host,
                           .note = std::string(300'000, 'n')};
  uplink::tell(unit_pointer(), info);
  uplink::tell(unit_pointer(),
               fleet_event{.kind = "test.told", .detail = info.note});
  info.id.value = std::string(300'000, 'i');
  uplink::tell(unit_pointer(), info);
  w.advance(5s);
  CHECK(script->hellos.size() == 1);
  CHECK(is_joined());
  const auto& page = script->pages.back();
  REQUIRE(page.sandboxes.size() == 1);
  CHECK(page.sandboxes.front().note.ends_with("[cut: 300000 bytes]"));
  CHECK(heard("test.told") == 1);
  for (const auto& event : script->events)
    CHECK(schema::wire_size(event) < page_bytes_max);
}
