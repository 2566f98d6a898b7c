// SPDX-License-Identifier: Apache-2.0
#include "node/storage/contract_text.hpp"

namespace forkfleet {

std::vector<std::string> contract_lines(const run_contract& x) {
  std::vector<std::string> result;
  const auto add = [&result](const char* key, const std::string& value) {
    if (!value.empty())
      result.push_back(std::string{key} + "=" + value);
  };
  add("driver", x.driver);
  add("vmm_version", x.vmm_version);
  add("machine", x.machine);
  add("accelerator", x.accelerator);
  add("cpu", x.cpu);
  add("memory_bytes", std::to_string(x.memory_bytes));
  add("vcpus", std::to_string(x.vcpus));
  for (const auto& argument : x.arguments)
    if (!argument.starts_with("kernel_sha256=")
        && !argument.starts_with("initrd_sha256="))
      result.push_back(argument);
  for (const auto& file : x.files)
    result.push_back("file=" + file.use + ":" + std::to_string(file.bytes) + ":"
                     + file.path);
  return result;
}

std::string contract_line(const run_contract& x, std::size_t length_max) {
  std::string result;
  for (const auto& line : contract_lines(x)) {
    result += (result.empty() ? "" : "; ") + line;
    if (result.size() > length_max) {
      result.resize(length_max);
      return result + "...";
    }
  }
  return result;
}

} // namespace forkfleet
