"""What do the resolvers of this machine say of the trunk's names? Which resolvers there are, one question to one of
them, and what their SRV answers come to. Contacts resolvers only. Uses `net`.
"""
