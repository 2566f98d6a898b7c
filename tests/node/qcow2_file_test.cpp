// SPDX-License-Identifier: Apache-2.0
#include "node/storage/qcow2_file.hpp"

#include <cstdlib>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/durable_file.hpp"
#include "node/storage/file.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

TEST_CASE("an empty image is as large as it was asked to be",
          "[storage][qcow2_file]") {
  for (const auto bytes : {uint64_t{512}, uint64_t{8} << 20,
                           (uint64_t{1} << 40) + 512, qcow2_bytes_max}) {
    const auto image = empty_qcow2(bytes);
    const auto read = qcow2_bytes(image, "image");
    REQUIRE(read);
    CHECK(*read == bytes);
  }
}

TEST_CASE("QEMU's own tool finds nothing wrong with an empty image",
          "[storage][qcow2_file]") {
  if (::access("/usr/bin/qemu-img", X_OK) != 0)
    return skip("no qemu-img here");
  const scratch_directory home;
  const auto bytes =
    GENERATE(uint64_t{512}, uint64_t{8} << 20, (uint64_t{3} << 40) + 512);
  const auto path = home.path() + "/layer.qcow2";
  REQUIRE(make_qcow2(path, bytes));
  const auto command = "/usr/bin/qemu-img check -q -f qcow2 " + path;
  CHECK(std::system(command.c_str()) == 0);
}

TEST_CASE("sizes that no disk has are refused", "[storage][qcow2_file]") {
  const scratch_directory home;
  const auto path = home.path() + "/layer.qcow2";
  for (const auto bytes : {uint64_t{0}, uint64_t{100}, qcow2_bytes_max + 512})
    CHECK_FALSE(make_qcow2(path, bytes));
  CHECK_FALSE(path_exists(path));
  const auto text = std::vector<uint8_t>(104);
  CHECK(qcow2_bytes(text, path).error().code == ec::invalid_request);
}
