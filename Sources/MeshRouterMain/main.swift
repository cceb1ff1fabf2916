print("meshrouter")
