// SPDX-License-Identifier: Apache-2.0
#include "coordinator/denials.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

namespace fs = std::filesystem;
using texts = std::vector<std::string>;

struct file_fixture {
  file_fixture() {
    auto name =
      (fs::temp_directory_path() / "forkfleet-denials-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    directory = name;
  }
  ~file_fixture() {
    auto ignored = std::error_code{};
    fs::remove_all(directory, ignored);
  }
  std::string path() const { return directory + "/fleet.yaml"; }
  void write(const std::string& access) const {
    std::ofstream{path() + ".new"} << "version: 1\nstate: state\n"
                                   << access << "hosts:\n  - name: h1\n";
    fs::rename(path() + ".new", path());
  }
  std::string directory;
};

} // namespace

TEST_CASE_METHOD(file_fixture, "the list follows the file",
                 "[coordinator][denials]") {
  write("");
  auto unit = denial_watch{path(), {}};
  CHECK_FALSE(unit.look(false));
  CHECK_FALSE(unit.look(true));
  write("access: {denied: [\"client:ann\"]}\n");
  CHECK(unit.look(false));
  CHECK(unit.entries() == texts{"client:ann"});
  CHECK_FALSE(unit.look(false));
  write("");
  CHECK(unit.look(false));
  CHECK(unit.entries().empty());
}

TEST_CASE_METHOD(file_fixture, "a file that is wrong or gone lets nobody in",
                 "[coordinator][denials][safety]") {
  write("access: {denied: [\"client:ann\"]}\n");
  auto unit = denial_watch{path(), {"client:ann"}};
  write("access: {denied: [\"whom\"]}\n");
  CHECK_FALSE(unit.look(false));
  fs::remove(path());
  CHECK_FALSE(unit.look(false));
  CHECK_FALSE(unit.look(true));
  CHECK(unit.entries() == texts{"client:ann"});
}

TEST_CASE_METHOD(file_fixture, "what changed before the first look is seen",
                 "[coordinator][denials][safety]") {
  write("access: {denied: [\"client:ann\"]}\n");
  // Made of what the file said earlier.
  auto unit = denial_watch{path(), {}};
  CHECK(unit.look(true));
  CHECK(unit.entries() == texts{"client:ann"});
}
