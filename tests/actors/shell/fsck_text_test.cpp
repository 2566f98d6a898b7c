// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/fsck_text.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::shell;

namespace {

fsck_report report_with(ledger_state state) {
  return {
    .host = {"h1"},
    .counts = {{.kind = ledger_kind::staging, .state = state, .count = 1}},
    .items = {{.kind = ledger_kind::staging,
               .state = state,
               .where = "/d/staging/op-1",
               .reason = "no snapshot is being made there"}}};
}

} // namespace

TEST_CASE("fsck ends with 10 when there is a finding, and only then",
          "[actors][shell][fsck_text]") {
  using enum ledger_state;
  CHECK(fsck_exit_code({}) == exit_code::done);
  CHECK(fsck_exit_code({report_with(owned), report_with(young)})
        == exit_code::done);
  for (const auto state : {orphan, damaged, foreign})
    CHECK(fsck_exit_code({report_with(owned), report_with(state)})
          == exit_code::findings);
}

TEST_CASE("a host that could not be looked at is never in order",
          "[actors][shell][fsck_text][safety]") {
  const fsck_report down{.host = {"h2"}, .outcome = {ec::node_down, "h2"}};
  CHECK(fsck_exit_code({report_with(ledger_state::owned), down})
        == exit_code::failed);
  CHECK(fsck_text({down}, {}).find("node_down") != std::string::npos);
}

TEST_CASE("what was found is told with its place and its reason",
          "[actors][shell][fsck_text]") {
  auto report = report_with(ledger_state::orphan);
  report.items[0].repair = "removed";
  const auto text = fsck_text({report}, {});
  for (const auto* part :
       {"/d/staging/op-1", "orphan", "no snapshot is being made", "removed"})
    CHECK(text.find(part) != std::string::npos);
}
