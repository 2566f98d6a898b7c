// SPDX-License-Identifier: Apache-2.0
#include "node/storage/diff_file.hpp"

#include <fcntl.h>

#include <catch2/catch.hpp>

#include "node/storage/diff_sink.hpp"
#include "node/storage/file.hpp"
#include "node/storage/reservation.hpp"
#include "node/storage/write_debt.hpp"
#include "tests/support/diff_maker.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/storage.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

struct diff_fixture {
  static constexpr std::size_t pages = 64;
  scratch_directory home;
  std::string path = home.path() + "/memory.diff";
  unique_fd fd = std::move(*open_file(path, O_RDWR | O_CREAT | O_EXCL));
  diff_sink sink{fd.get(), path, {pages * page, some_hash(7)}};

  bytes filled(std::size_t count, uint8_t value) const {
    return bytes(count * page, value);
  }
  uint8_t byte_at(uint64_t offset) const {
    uint8_t result = 0;
    REQUIRE(read_at(fd.get(), {&result, 1}, offset, path));
    return result;
  }
};

} // namespace

TEST_CASE_METHOD(diff_fixture, "what was written to a diff is read back",
                 "[storage][diff_file]") {
  REQUIRE(sink.write(3 * page, filled(2, 1)));
  REQUIRE(sink.write(0, filled(1, 2)));
  REQUIRE(sink.zero({10 * page, 20 * page}));
  const auto written = sink.finish();
  REQUIRE(written);
  const auto found = open_diff(path);
  REQUIRE(found);
  CHECK(found->table == *written);
  CHECK(found->table.base == some_hash(7));
  CHECK(found->table.memory_bytes == pages * page);
  const std::vector<diff_run> expected_runs{
    {0, page, 3 * page}, {3 * page, 2 * page, page}, {10 * page, 10 * page, 0}};
  CHECK(found->table.runs == expected_runs);
  CHECK(byte_at(page) == 1);
  CHECK(byte_at(3 * page) == 2);
  CHECK(verify_data(*found, {}));
}

TEST_CASE_METHOD(diff_fixture, "what is said later of a page replaces it",
                 "[storage][diff_file]") {
  REQUIRE(sink.write(page, filled(4, 1)));
  REQUIRE(sink.write(2 * page, filled(2, 2)));
  REQUIRE(sink.zero({page, 2 * page}));
  REQUIRE(sink.zero({5 * page, 6 * page}));
  REQUIRE(sink.write(5 * page, filled(1, 3)));
  const auto table = sink.finish();
  REQUIRE(table);
  CHECK(table->data_bytes == 5 * page);
  CHECK(table->runs == std::vector<diff_run>{{page, 5 * page, page}});
  const std::vector<uint8_t> seen{byte_at(page), byte_at(2 * page),
                                  byte_at(3 * page), byte_at(4 * page),
                                  byte_at(5 * page)};
  CHECK(seen == std::vector<uint8_t>{0, 2, 2, 1, 3});
  CHECK(sink.written_bytes() == 8 * page);
}

TEST_CASE_METHOD(diff_fixture, "pages of zeros take no place in a diff",
                 "[storage][diff_file]") {
  bytes mixed = filled(8, 0);
  mixed[3 * page] = 1;
  REQUIRE(sink.write(0, mixed));
  const auto table = sink.finish();
  REQUIRE(table);
  CHECK(table->data_bytes == page);
  CHECK(table->runs
        == std::vector<diff_run>{
          {0, 3 * page, 0}, {3 * page, page, page}, {4 * page, 4 * page, 0}});
}

TEST_CASE_METHOD(diff_fixture, "a diff of nothing is a diff",
                 "[storage][diff_file]") {
  REQUIRE(sink.finish());
  const auto found = open_diff(path);
  REQUIRE(found);
  CHECK(found->table.runs.empty());
  CHECK(verify_data(*found, {}));
}

TEST_CASE_METHOD(diff_fixture, "a diff takes whole pages of its guest only",
                 "[storage][diff_file]") {
  const auto bad = {sink.write(1, filled(1, 1)),
                    sink.write(0, bytes(5)),
                    sink.write(pages * page, filled(1, 1)),
                    sink.write((pages - 1) * page, filled(2, 1)),
                    sink.zero({page, 0}),
                    sink.zero({0, (pages + 1) * page})};
  for (const auto& each : bad) {
    REQUIRE_FALSE(each);
    CHECK(each.error().code == ec::invalid_request);
  }
}

TEST_CASE_METHOD(diff_fixture, "a flipped bit anywhere in a diff is found",
                 "[storage][diff_file][safety]") {
  REQUIRE(sink.write(3 * page, filled(2, 1)));
  REQUIRE(sink.zero({10 * page, 20 * page}));
  REQUIRE(sink.write(30 * page, filled(1, 2)));
  REQUIRE(sink.finish());
  const auto size = *file_size(fd.get(), path);
  for (uint64_t at = 0; at < size; ++at) {
    // Every byte around the data, and some of it.
    const bool is_data = at >= diff_data_offset && at < 4 * page;
    if ((is_data || (at > 100 && at < 4000)) && at % 97 != 0)
      continue;
    CAPTURE(at);
    flip_bit(path, at);
    const auto found = open_diff(path);
    const auto good =
      found ? verify_data(*found, {}) : tl::unexpected<failure>(found.error());
    REQUIRE_FALSE(good);
    CHECK(good.error().code == ec::snapshot_corrupt);
    CHECK(good.error().message.find(path) != std::string::npos);
    flip_bit(path, at);
  }
  CHECK(open_diff(path));
}

TEST_CASE_METHOD(diff_fixture, "a diff that was cut or grew does not open",
                 "[storage][diff_file][safety]") {
  REQUIRE(sink.write(3 * page, filled(2, 1)));
  REQUIRE(sink.finish());
  const auto size = *file_size(fd.get(), path);
  const auto wrong = GENERATE_COPY(uint64_t{0}, uint64_t{1}, uint64_t{4096},
                                   size / 2, size - 1, size + 1, 2 * size);
  CAPTURE(wrong);
  REQUIRE(resize_file(fd.get(), wrong, path));
  CHECK(open_diff(path).error().code == ec::snapshot_corrupt);
}

TEST_CASE_METHOD(diff_fixture, "a check of a diff ends when it is asked to",
                 "[storage][diff_file]") {
  REQUIRE(sink.write(0, filled(1, 1)));
  REQUIRE(sink.finish());
  const auto found = open_diff(path);
  CHECK(verify_data(*found, [] { return true; }).error().code
        == ec::interrupted);
}

TEST_CASE_METHOD(diff_fixture, "a diff counts as unwritten until it is synced",
                 "[storage][write_debt]") {
  const auto debt = std::make_shared<write_debt>();
  {
    const auto other = home.path() + "/other";
    const auto file = open_file(other, O_RDWR | O_CREAT);
    diff_sink counted{file->get(), other, {pages * page, {}}, debt};
    REQUIRE(counted.write(0, filled(3, 1)));
    CHECK(debt->bytes() == 3 * page);
    CHECK_FALSE(debt->wait_for_at_most(page, {}));
    counted.note_synced();
    CHECK(debt->bytes() == 0);
    REQUIRE(counted.write(0, filled(2, 1)));
    CHECK(debt->bytes() == 2 * page);
  }
  CHECK(debt->wait_for_at_most(0, {}));
}

TEST_CASE("a diff's reservation grows and what is too much is given back",
          "[storage][diff_file]") {
  const auto kind = GENERATE(disk_kind::tmpfs, disk_kind::ext4, disk_kind::xfs);
  const auto disk = scratch_disk::make(kind, 320 * mib);
  if (!disk)
    return skip(disk.error().message);
  const auto path = (*disk)->path() + "/memory.diff";
  const auto fd = open_file(path, O_RDWR | O_CREAT | O_EXCL);
  REQUIRE(fd);
  diff_sink sink{fd->get(), path, {uint64_t{1} << 30, {}}};
  REQUIRE(sink.expect(mib));
  CHECK(stored_bytes(path) >= mib);
  REQUIRE(sink.write(0, bytes(mib, 1)));
  REQUIRE(sink.expect(8 * mib));
  CHECK(stored_bytes(path) >= 9 * mib);
  CHECK(sink.reserved_bytes() >= 9 * mib);
  CHECK(sink.expect(uint64_t{1} << 30).error().code == ec::disk_full);
  CHECK(sink.outcome() == reserve_outcome::no_space);
  REQUIRE(sink.finish());
  CHECK(stored_bytes(path) <= mib + 256 * 1024);
  CHECK(open_diff(path));
}

TEST_CASE("a diff says what a model says, whatever was written",
          "[storage][diff_file][property]") {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    std::mt19937 dice{seed};
    const scratch_directory home;
    const auto path = home.path() + "/memory.diff";
    const auto fd = open_file(path, O_RDWR | O_CREAT);
    const std::size_t pages = 1 + dice() % 1500;
    diff_sink sink{fd->get(), path, {pages * page, {}}};
    // 0xaa: nothing was said of the byte. Written pages never hold it whole.
    bytes model(pages * page, 0xaa);
    REQUIRE(change(dice, sink, model, dice() % 60));
    REQUIRE(sink.finish());
    const auto found = open_diff(path);
    REQUIRE(found);
    bytes seen(pages * page, 0xaa);
    for (const auto& run : found->table.runs) {
      const auto part = std::span{seen}.subspan(run.address, run.bytes);
      std::ranges::fill(part, uint8_t{0});
      if (!run.is_zeros())
        REQUIRE(read_at(found->fd.get(), part, run.offset, path));
    }
    CHECK(seen == model);
  }
}
