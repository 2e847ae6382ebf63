#include "core/bytes/persist.h"

#include <cstring>
#include <string_view>
#include <vector>

#include "check.h"
#include "core/page.h"
#include "mappings.h"

namespace {

using memmap::core::write_back;
using memmap::core::write_back_instruction;

TEST("writing lines back changes none of them, at any alignment") {
  if (write_back_instruction() == nullptr) SKIP("this processor has no instruction");
  std::vector<char> bytes(4096);
  for (size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<char>(i * 7);
  const std::vector<char> before = bytes;
  for (size_t offset : {0U, 1U, 63U, 64U, 1000U}) {
    for (size_t length : {1U, 64U, 65U, 3000U}) write_back(&bytes[offset], length);
  }
  CHECK(bytes == before);
}

TEST("writing back nothing touches nothing") {
  if (write_back_instruction() == nullptr) SKIP("this processor has no instruction");
  const size_t page = memmap::core::page_size();
  const char* free = memmap::test::free_addresses(1);
  for (size_t offset : {size_t{1}, page - 1}) write_back(free + offset, 0);
}

TEST("the instruction is one that the processor has") {
  const char* name = write_back_instruction();
  if (name == nullptr) SKIP("this processor has no instruction");
  const std::string_view found = name;
  CHECK(found == "clwb" || found == "clflushopt" || found == "clflush" ||
        found == "dc cvap");
}

}  // namespace
