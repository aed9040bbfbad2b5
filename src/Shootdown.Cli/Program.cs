Console.Error.WriteLine("shootdown: no commands yet");
return 64;
