// SPDX-License-Identifier: Apache-2.0
// A stranger's contract, up to the command line that it would become.
#include <algorithm>
#include <iterator>

#include "actors/schema/json.hpp"
#include "node/qemu/machine.hpp"
#include "node/storage/contract_text.hpp"
#include "tests/fuzz/fuzz_target.hpp"

using namespace forkfleet;

FORKFLEET_FUZZ(contract) {
  const auto value = schema::parse_json(test::text_of(bytes));
  if (!value)
    return;
  const auto contract = schema::from_json<run_contract>(*value);
  if (!contract)
    return;
  static_cast<void>(contract_lines(*contract));
  const auto machine = qemu::from_contract(*contract);
  if (!machine)
    return;
  // What is understood is told again in the same words.
  const auto again =
    qemu::from_contract(qemu::to_contract(*machine, contract->vmm_version));
  test::promise(again.has_value() && *again == *machine);
  // Each option that is not passed on as it is, is one of ours, with one value
  // or none; no value begins another option.
  auto own = *machine;
  own.more.clear();
  const auto argv = qemu::command_line(own, {.qemu = "qemu"});
  const std::string_view alone[] = {"-nodefaults", "-no-user-config",
                                    "-no-reboot"};
  for (std::size_t i = 1; i < argv.size(); ++i) {
    test::promise(argv[i].starts_with("-"));
    if (std::find(std::begin(alone), std::end(alone), argv[i])
        == std::end(alone))
      ++i;
    test::promise(i < argv.size());
  }
}
