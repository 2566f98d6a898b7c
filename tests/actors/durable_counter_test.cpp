// SPDX-License-Identifier: Apache-2.0
#include "actors/durable_counter.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/durable_file.hpp"
#include "actors/unique_fd.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;

namespace {

struct counter_fixture {
  test::scratch_directory home;
  std::string path = home.path() + "/counter";
};

} // namespace

TEST_CASE_METHOD(counter_fixture, "a counter goes on where it stood",
                 "[actors][durable_counter]") {
  CHECK(durable_counter{path}.value() == 0u);
  CHECK(durable_counter{path}.next() == 1u);
  CHECK(durable_counter{path}.next() == 2u);
  CHECK(durable_counter{path}.value() == 2u);
}

TEST_CASE_METHOD(counter_fixture, "a counter is raised and never lowered",
                 "[actors][durable_counter][safety]") {
  durable_counter counter{path};
  REQUIRE(counter.raise_to(41));
  CHECK(counter.next() == 42u);
  REQUIRE(counter.raise_to(7));
  CHECK(counter.next() == 43u);
}

TEST_CASE_METHOD(counter_fixture, "a damaged counter hands out no number",
                 "[actors][durable_counter][safety]") {
  const auto* const text =
    GENERATE("", "x", "1x", "-1", " 1", "1 2", "99999999999999999999",
             "18446744073709551615");
  std::ofstream{path} << text;
  const auto number = durable_counter{path}.next();
  REQUIRE_FALSE(number);
  CHECK(number.error().code == ec::io_failed);
  CHECK(number.error().message.find(path) == 0);
}

TEST_CASE("a counter goes on where the disk is full",
          "[actors][durable_counter][safety]") {
  const auto kind = GENERATE(test::disk_kind::tmpfs, test::disk_kind::ext4);
  const auto disk = test::scratch_disk::make(kind, 16u << 20);
  if (!disk)
    return test::skip("no disks of its own: " + disk.error().message);
  durable_counter counter{(*disk)->path() + "/counter"};
  REQUIRE(counter.raise_to(8));
  const auto filler = (*disk)->path() + "/filler";
  const unique_fd fd{::open(filler.c_str(), O_WRONLY | O_CREAT, 0600)};
  const std::string page(4096, 'x');
  while (::write(fd.get(), page.data(), page.size()) > 0)
    continue;
  REQUIRE(errno == ENOSPC);
  const auto other = (*disk)->path() + "/other";
  REQUIRE_FALSE(write_durably(other, std::string(65536, 'x')));
  for (uint64_t number = 9; number < 12; ++number)
    CHECK(counter.next() == number);
  REQUIRE(::ftruncate(fd.get(), 0) == 0);
  CHECK(counter.next() == 12u);
}

TEST_CASE_METHOD(counter_fixture, "a durable write replaces all or nothing",
                 "[actors][durable_file]") {
  REQUIRE(write_durably(path, "first, and longer"));
  REQUIRE(write_durably(path, "second"));
  CHECK(read_small_file(path) == "second");
  std::filesystem::create_directory(path + std::string{unfinished_suffix});
  CHECK_FALSE(write_durably(path, "third"));
  CHECK(read_small_file(path) == "second");
}
