// SPDX-License-Identifier: Apache-2.0
#include "node/storage/data_directory.hpp"

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/unique_fd.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;

namespace {

/// A child process as a VM is one: it outlives what started it. Returns when
/// it runs its own program.
pid_t start_sleeper() {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const auto child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::execlp("sleep", "sleep", "60", nullptr);
    ::_exit(1);
  }
  const unique_fd reader{ends[0]};
  ::close(ends[1]);
  char byte = 0;
  // The end of the file is the exec: it closed the writing end.
  CHECK(::read(reader.get(), &byte, 1) == 0);
  return child;
}

} // namespace

TEST_CASE("two nodes never share a data directory",
          "[storage][data_directory][safety]") {
  const test::scratch_directory home;
  auto first = data_directory::open(home.path());
  REQUIRE(first);
  const auto second = data_directory::open(home.path());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ec::not_permitted);
  CHECK(second.error().message.find("process " + std::to_string(::getpid()))
        != std::string::npos);
  first->reset();
  CHECK(data_directory::open(home.path()));
}

TEST_CASE("a VM that outlives its node does not hold the data directory",
          "[storage][data_directory][safety]") {
  const test::scratch_directory home;
  auto data = data_directory::open(home.path());
  REQUIRE(data);
  const auto child = start_sleeper();
  data->reset();
  CHECK(data_directory::open(home.path()));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("a data directory that cannot be made names its path",
          "[storage][data_directory]") {
  const test::scratch_directory home;
  std::filesystem::create_symlink("/nowhere", home.path() + "/link");
  const auto data = data_directory::open(home.path() + "/link/node");
  REQUIRE_FALSE(data);
  CHECK(data.error().message.find(home.path() + "/link") != std::string::npos);
}

TEST_CASE("a data directory has one identity for ever",
          "[storage][data_directory][safety]") {
  const test::scratch_directory home;
  auto data = data_directory::open(home.path() + "/one");
  REQUIRE(data);
  const auto first = (*data)->identity();
  REQUIRE(first);
  CHECK(first->size() == 32);
  data->reset();
  data = data_directory::open(home.path() + "/one");
  REQUIRE(data);
  CHECK((*data)->identity() == first);
  const auto other = data_directory::open(home.path() + "/two");
  REQUIRE(other);
  CHECK((*other)->identity() != first);
}

TEST_CASE("an identity that cannot be read is not made anew",
          "[storage][data_directory][safety]") {
  const test::scratch_directory home;
  const auto data = data_directory::open(home.path() + "/one");
  REQUIRE(data);
  const auto path = home.path() + "/one/identity";
  const bool is_damaged = GENERATE(false, true);
  if (is_damaged)
    std::ofstream{path} << "no identity\n";
  else
    std::filesystem::create_symlink("/nowhere", path);
  const auto found = (*data)->identity();
  REQUIRE_FALSE(found);
  CHECK(found.error().message.find(path) != std::string::npos);
}
