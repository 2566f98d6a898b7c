// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/microvm.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::firecracker;

namespace {

config::sandbox_section section() {
  auto spec = config::sandbox_section{};
  spec.kernel = "/k";
  spec.initrd = "/i";
  spec.append = "quiet";
  spec.memory = {256ull << 20};
  spec.vcpus = 2;
  spec.disks = {{.path = "/d,e", .format = "raw", .readonly = true},
                {.path = "/f", .format = "raw"}};
  return spec;
}

} // namespace

TEST_CASE("a VM is what its section asks for, with tracking",
          "[node][microvm]") {
  const auto x = microvm_of(section());
  REQUIRE(x);
  CHECK(x->machine == machine_config{2, 256ull << 20, true});
  CHECK(x->boot.arguments.ends_with(" quiet"));
  REQUIRE(x->drives.size() == 2);
  CHECK(x->drives[0].is_readonly);
  CHECK(x->drives[0].id != x->drives[1].id);
}

TEST_CASE("a VM comes back from its contract as it was", "[node][microvm]") {
  const auto x = microvm_of(section());
  REQUIRE(x);
  const auto contract = to_contract(*x, "1.12.0");
  CHECK(contract.driver == "firecracker");
  CHECK(contract.vmm_version == "1.12.0");
  const auto back = from_contract(contract);
  REQUIRE(back);
  CHECK(*back == *x);
}

TEST_CASE("what Firecracker does not have is refused", "[node][microvm]") {
  auto spec = section();
  SECTION("another format of disks") {
    spec.disks[0].format = "qcow2";
  }
  SECTION("a part of a MiB") {
    spec.memory = {(1ull << 20) + 4096};
  }
  SECTION("many vcpus") {
    spec.vcpus = 33;
  }
  CHECK(microvm_of(spec).error().code == ec::invalid_request);
}

TEST_CASE("an unknown contract is refused and named", "[node][microvm]") {
  auto contract = to_contract(*microvm_of(section()), "1.12.0");
  SECTION("a key") {
    contract.arguments.emplace_back("novel=1");
  }
  SECTION("a drive") {
    contract.arguments.emplace_back("drive=x");
  }
  SECTION("no key") {
    contract.arguments.emplace_back("text");
  }
  const auto back = from_contract(contract);
  REQUIRE_FALSE(back);
  CHECK(back.error().code == ec::unsupported);
  CHECK(back.error().message.find(contract.arguments.back())
        != std::string::npos);
  contract.driver = "qemu";
  CHECK(from_contract(contract).error().code == ec::unsupported);
}
