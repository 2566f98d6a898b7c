// SPDX-License-Identifier: Apache-2.0
#include "actors/page_cutter.hpp"

#include <catch2/catch.hpp>

#include "actors/membership_protocol.hpp"

using namespace forkfleet;

TEST_CASE("a page ends before its bytes or its entries are too many",
          "[actors][page_cutter][safety]") {
  auto cutter = page_cutter{3, 100};
  const auto small = sandbox_id{"web"};
  const auto big = std::string(60, 'x');
  CHECK(cutter.take(big));
  CHECK_FALSE(cutter.take(big));
  CHECK(cutter.take(small));
  CHECK(cutter.take(small));
  CHECK_FALSE(cutter.take(small));
  cutter.begin();
  CHECK(cutter.take(big));
}

TEST_CASE("an entry that fits stays as it is", "[actors][page_cutter]") {
  auto entry = sandbox_info{.id = {"web"}, .note = std::string(9000, 'n')};
  const auto before = entry;
  CHECK(make_fit(entry) == entry_fit::whole);
  CHECK(entry == before);
}

TEST_CASE("an entry that is too big has its texts cut, and says so",
          "[actors][page_cutter][safety]") {
  auto entry = sandbox_info{.id = {"web"}, .note = std::string(300'000, 'n')};
  CHECK(make_fit(entry) == entry_fit::shortened);
  CHECK(entry.id.value == "web");
  CHECK(entry.note.ends_with("[cut: 300000 bytes]"));
  CHECK(schema::wire_size(entry) < page_bytes_max);
  auto status = operation_status{.operation = {"op-1"}};
  status.report.warnings.assign(100'000, "slow");
  CHECK(make_fit(status) == entry_fit::shortened);
  CHECK(status.report.warnings.size() == 32);
}

TEST_CASE("a name that is too big is not cut to another's",
          "[actors][page_cutter][safety]") {
  auto entry = sandbox_info{.id = {std::string(300'000, 'n')}};
  CHECK(make_fit(entry) == entry_fit::none);
  CHECK(entry.id.value.size() == 300'000);
}
