// SPDX-License-Identifier: Apache-2.0
#include "node/storage/diff_format.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

constexpr uint64_t page = guest_page_bytes;

/// A table as it stands in a file, and what a reader makes of it.
expected<diff_table> through_file(const diff_table& table) {
  const auto header = diff_header(table);
  const auto tail = *diff_tail(table);
  const auto trailer = read_diff_trailer(
    std::span{tail}.last(diff_trailer_bytes),
    diff_file_bytes(table.data_bytes, table.runs.size()), "x.diff");
  if (!trailer)
    return tl::unexpected<failure>(trailer.error());
  return read_diff_table(header, tail, *trailer, "x.diff");
}

diff_table good_table() {
  return {.memory_bytes = 100 * page,
          .base = {1, 2, 3},
          .data_bytes = 3 * page,
          .digests = {sha256{4}},
          .runs = {{0, page, 3 * page},
                   {2 * page, page, 0},
                   {3 * page, 2 * page, page}}};
}

} // namespace

TEST_CASE("a diff's table comes back as it was", "[storage][diff_format]") {
  CHECK(through_file(good_table()) == good_table());
}

TEST_CASE("a table that breaks the grammar is refused, with the place",
          "[storage][diff_format][safety]") {
  struct wrong {
    const char* what;
    std::vector<diff_run> runs;
  };
  const auto bad = GENERATE(values<wrong>({
    {"is not made of whole pages", {{1, page, 0}}},
    {"is not made of whole pages", {{0, page + 1, 0}}},
    {"is not made of whole pages", {{0, page, page + 1}}},
    {"is empty", {{0, 0, 0}}},
    {"outside of the memory", {{99 * page, 2 * page, 0}}},
    {"outside of the memory", {{~uint64_t{0} - page + 1, 2 * page, 0}}},
    {"outside of the data", {{0, 4 * page, page}}},
    {"outside of the data", {{0, page, ~uint64_t{0} - page + 1}}},
    {"behind the one before", {{page, page, 0}, {page, page, page}}},
    {"behind the one before", {{2 * page, page, 0}, {0, page, page}}},
    {"a part of the one before", {{0, page, 0}, {page, page, 0}}},
    {"a part of the one before", {{0, page, page}, {page, page, 2 * page}}},
    {"exactly one run", {{0, 2 * page, page}, {5 * page, 2 * page, 2 * page}}},
    {"exactly one run", {{0, 2 * page, 2 * page}}},
    {"belongs to no run", {{0, 2 * page, page}}},
  }));
  auto table = good_table();
  table.runs = bad.runs;
  const auto found = through_file(table);
  REQUIRE_FALSE(found);
  CHECK(found.error().code == ec::snapshot_corrupt);
  CHECK(found.error().message.starts_with("x.diff"));
  CHECK_THAT(found.error().message, Catch::Contains(bad.what));
}

TEST_CASE("a guest of no memory, or of too much, has no diff",
          "[storage][diff_format]") {
  auto table = good_table();
  table.memory_bytes = GENERATE(uint64_t{0}, page + 1, 2 * guest_memory_max);
  CHECK(through_file(table).error().code == ec::snapshot_corrupt);
}

TEST_CASE("a trailer must fit the size of its file",
          "[storage][diff_format][safety]") {
  const auto tail = *diff_tail(good_table());
  const auto trailer = std::span{tail}.last(diff_trailer_bytes);
  const auto size = diff_file_bytes(3 * page, 3);
  CHECK(read_diff_trailer(trailer, size, "x"));
  for (const auto wrong : {size - 1, size + 1, uint64_t{0}, 2 * size})
    CHECK_FALSE(read_diff_trailer(trailer, wrong, "x"));
  CHECK_FALSE(read_diff_trailer(trailer.first(10), size, "x"));
}
